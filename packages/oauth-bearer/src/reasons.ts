import type { ReasonTable } from '@countersign/core/gate-kit'

/** Why the gate refuses a request. The guide has a sentence for each. */
export type OAuthBearerReason =
  | 'missing'
  | 'malformed'
  | 'ambiguous'
  | 'malformed_token'
  | 'wrong_issuer'
  | 'wrong_type'
  | 'wrong_algorithm'
  | 'unknown_key'
  | 'bad_signature'
  | 'missing_claim'
  | 'expired'
  | 'not_yet_valid'
  | 'bound_token'
  | 'wrong_audience'
  | 'inactive'
  | 'legacy_refused'
  | 'revoked'
  | 'insufficient_scope'
  | 'insufficient_authentication'

// One answer for every unproven token. Descriptions are constants without quotes (RFC 6750 §3).
const unproven = {
  status: 401,
  owasp: 'authn_login_fail',
  problem: { error: 'invalid_token', error_description: 'The access token is not valid for this resource' },
} as const

const invalidRequest = {
  status: 400,
  owasp: 'input_validation_fail',
  problem: {
    error: 'invalid_request',
    error_description: 'One access token is expected, in one Authorization header field',
  },
} as const

/** What each reason means to the client and to the audit. `error` and `error_description` are in the challenge, too. */
export const reasons: ReasonTable<OAuthBearerReason> = {
  missing: { status: 401, owasp: 'authn_login_fail' },
  malformed: invalidRequest,
  ambiguous: invalidRequest,
  malformed_token: unproven,
  wrong_issuer: unproven,
  wrong_type: unproven,
  wrong_algorithm: unproven,
  unknown_key: unproven,
  bad_signature: unproven,
  missing_claim: unproven,
  expired: unproven,
  not_yet_valid: unproven,
  bound_token: unproven,
  wrong_audience: unproven,
  inactive: unproven,
  legacy_refused: unproven,
  revoked: unproven,
  insufficient_scope: {
    status: 403,
    owasp: 'authz_fail',
    problem: { error: 'insufficient_scope', error_description: 'The access token lacks a scope that is needed here' },
  },
  insufficient_authentication: {
    status: 401,
    owasp: 'authz_fail',
    problem: {
      error: 'insufficient_user_authentication',
      error_description: 'A stronger or more recent authentication of the user is needed here',
    },
  },
}

/** What could not be asked when the gate answers 503. `verifier` is the app's own `verify`, `isRevoked` or `checkAudience`. */
export type OAuthBearerDependency = 'verifier' | 'keys' | 'introspection'

/** Every dependency. A callback of the app's that throws an error without a name is the first. */
export const dependencies: readonly OAuthBearerDependency[] = ['verifier', 'keys', 'introspection']
