import type { ReasonEntry, ReasonTable, WarningCode } from '@countersign/core/gate-kit'

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
  | 'bad_proof'
  | 'replayed'
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

/** Unproven, and perhaps a mistake in the configuration; told once for each issuer. */
function suspect(code: WarningCode, remedy: string): ReasonEntry {
  return { ...unproven, warning: { code, remedy, causedBy: 'issuer' } }
}

const CLOCK = 'If the token was new, the clock of this machine or that of the issuer is wrong: synchronise them.'

// One answer for every proof, as for every token.
const unprovenSender = {
  status: 401,
  owasp: 'authn_login_fail',
  problem: { error: 'invalid_dpop_proof', error_description: 'The DPoP proof is not valid for this request' },
} as const

// What the read of the request says in its place tells more.
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
  wrong_issuer: {
    ...unproven,
    warning: {
      code: 'COUNTERSIGN_OAUTH_WRONG_ISSUER',
      remedy: "If the token's issuer is yours, set 'issuer' to exactly that string, including a trailing slash.",
      // Any stranger can name an issuer: one cause for all of them.
      causedBy: undefined,
    },
  },
  wrong_type: suspect(
    'COUNTERSIGN_OAUTH_WRONG_TYPE',
    "If this issuer's access tokens are JWTs without the type of RFC 9068 (at+jwt), set profile: 'relaxed' for it. " +
      'Otherwise a client is sending another kind of token, such as an ID token.',
  ),
  wrong_algorithm: suspect(
    'COUNTERSIGN_OAUTH_WRONG_ALGORITHM',
    "If the issuer signs its access tokens with that algorithm, add it to 'issuer.algorithms'.",
  ),
  unknown_key: unproven,
  bad_signature: unproven,
  missing_claim: unproven,
  expired: suspect('COUNTERSIGN_OAUTH_CLOCK', CLOCK),
  not_yet_valid: suspect('COUNTERSIGN_OAUTH_CLOCK', CLOCK),
  bound_token: unproven,
  bad_proof: unprovenSender,
  replayed: { ...unprovenSender, owasp: 'authn_token_reuse', severity: 'critical' },
  wrong_audience: suspect(
    'COUNTERSIGN_OAUTH_WRONG_AUDIENCE',
    "Clients must request tokens for this resource (RFC 8707). If the issuer uses another name for it, set 'audience'.",
  ),
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
export type OAuthBearerDependency = 'verifier' | 'keys' | 'introspection' | 'replay_store'

/** Every dependency. A callback of the app's that throws an error without a name is the first. */
export const dependencies: readonly OAuthBearerDependency[] = ['verifier', 'keys', 'introspection', 'replay_store']
