import type { ReasonTable, Verdict } from '@countersign/core/gate-kit'
import type { McpCredentialPrincipal } from './principal.js'

const ASK = 'Stop calling this server and tell the user; the app must start this session anew.'

/** What a model reads when its secret was proven: it may know why, and what to do about it. */
function dead(why: string, remedy: string = ASK) {
  const text = `${why} ${remedy}`
  return {
    status: 401,
    owasp: 'session_expired',
    problem: { error: 'invalid_token', error_description: text, detail: text },
  } as const
}

// One body for all that is not proven, byte for byte: it must not tell a credential that exists from one that does not.
const unproven = {
  status: 401,
  owasp: 'authn_login_fail',
  problem: { error: 'invalid_token', error_description: 'The credential is not valid' },
} as const

/** What each refusal means to the client and to the audit. */
export const reasons = {
  missing: { status: 401, owasp: 'authn_login_fail' },
  malformed: unproven,
  ambiguous: {
    status: 400,
    owasp: 'input_validation_fail',
    problem: { error: 'invalid_request', detail: 'Send exactly one Authorization header field' },
  },
  placeholder: {
    ...dead(
      'The Authorization header holds a placeholder or nothing where the credential should be.',
      'The environment variable that the configuration names was not set when this agent was started.',
    ),
    owasp: 'authn_login_fail',
  },
  unknown: unproven,
  wrong_secret: unproven,
  idle: dead('This session was idle for too long and has ended.'),
  expired: dead('This credential has expired.'),
  revoked: { ...dead('This session was ended by the app.'), owasp: 'authn_token_revoked' },
  superseded: dead('A newer credential took the place of this one.', 'Use the newer one, or start the session anew.'),
  capability_missing: {
    status: 403,
    owasp: 'authz_fail',
    problem: {
      error: 'insufficient_scope',
      error_description: 'This session may not use that tool. Go on without it.',
      detail: 'This session may not use that tool. Go on without it.',
    },
  },
  session_mismatch: {
    status: 403,
    owasp: 'authz_fail',
    severity: 'critical',
    problem: {
      error: 'insufficient_scope',
      detail: 'The Mcp-Session-Id belongs to another thread. Initialize a session of your own.',
    },
  },
} as const satisfies ReasonTable<string>

export type McpCredentialReason = keyof typeof reasons

/** What could not be asked when a gate answers 503. */
export type McpCredentialDependency = 'credential_store' | 'liveness'

export type McpCredentialVerdict = Verdict<McpCredentialPrincipal, McpCredentialReason, McpCredentialDependency>
