import type { ReasonTable, Verdict } from '@countersign/core/gate-kit'
import type { OAuthBearerPrincipal } from './principal.js'

// One body for all that is unproven. Descriptions are constants without quotes (RFC 6750 §3).
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

/** What each refusal means to the client and to the audit. The `error` is the one of the challenge, too. */
export const reasons = {
  missing: { status: 401, owasp: 'authn_login_fail' },
  malformed: invalidRequest,
  ambiguous: invalidRequest,
  unsupported_scheme: { status: 401, owasp: 'authn_login_fail' },
  wrong_type: unproven,
  wrong_algorithm: unproven,
  unknown_key: unproven,
  bad_signature: unproven,
  expired: unproven,
  not_yet_valid: unproven,
  wrong_issuer: unproven,
  wrong_audience: unproven,
  missing_claim: unproven,
  inactive: unproven,
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
  bound_token: unproven,
  bad_proof: {
    status: 401,
    owasp: 'authn_login_fail',
    problem: { error: 'invalid_dpop_proof', error_description: 'The DPoP proof is not valid for this request' },
  },
  legacy_refused: unproven,
} as const satisfies ReasonTable<string>

export type OAuthBearerReason = keyof typeof reasons

/** What could not be asked when a gate answers 503. */
export type OAuthBearerDependency = 'keys' | 'introspection' | 'verifier' | 'replay_store'

export type OAuthBearerVerdict = Verdict<OAuthBearerPrincipal, OAuthBearerReason, OAuthBearerDependency>
