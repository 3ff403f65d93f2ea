import type { Problem } from '@countersign/core'
import { type Challenge, type Denied, memberOf, type ReasonEntry, type Verdict } from '@countersign/core/gate-kit'
import type { McpCredentialPrincipal } from './principal.js'

/** Why a request was refused. */
export type McpCredentialReason =
  | 'missing'
  | 'malformed'
  | 'ambiguous'
  | 'placeholder'
  | 'unknown'
  | 'wrong_secret'
  | 'idle'
  | 'expired'
  | 'revoked'
  | 'superseded'
  | 'insufficient_scope'
  | 'session_mismatch'
  | 'malformed_body'
  | 'header_mismatch'
  | 'unsupported_body'
  | 'body_too_large'

/** What could not be asked when a gate answers 503. */
export type McpCredentialDependency = 'credential_store' | 'liveness'

/** What the gate decides. */
export type McpCredentialVerdict = Verdict<McpCredentialPrincipal, McpCredentialReason, McpCredentialDependency>

const ASK = 'Stop calling this server and tell the user. The app must start a new session.'
const TOOL = 'This session may not use that tool. Continue without it.'

/** The secret is proven, so the model may know why it is refused, and what to do about it. */
function ended(why: string, remedy: string = ASK): ReasonEntry {
  const text = `${why} ${remedy}`
  return {
    status: 401,
    owasp: 'session_expired',
    problem: { error: 'invalid_token', error_description: text, detail: text },
  }
}

// One body for all that is not proven, byte for byte: it must not tell a credential that exists from one that does not.
const unproven: ReasonEntry = {
  status: 401,
  owasp: 'authn_login_fail',
  problem: { error: 'invalid_token', error_description: 'The credential is not valid' },
}

/** What each reason means to the client and to the audit. */
export const reasons: Readonly<Record<McpCredentialReason, ReasonEntry>> = {
  missing: { status: 401, owasp: 'authn_login_fail' },
  malformed: unproven,
  ambiguous: {
    status: 400,
    owasp: 'input_validation_fail',
    problem: { error: 'invalid_request', detail: 'Send exactly one Authorization header field' },
  },
  placeholder: {
    ...ended(
      'The Authorization header contains a placeholder or nothing instead of the credential.',
      'The environment variable that the configuration names was not set when this agent was started.',
    ),
    owasp: 'authn_login_fail',
  },
  unknown: unproven,
  wrong_secret: unproven,
  idle: ended('This session was idle for too long and has ended.'),
  expired: ended('This credential has expired.'),
  revoked: { ...ended('The app has ended this session.'), owasp: 'authn_token_revoked' },
  superseded: ended('A newer credential has replaced this one.', 'Use the newer one, or start a new session.'),
  insufficient_scope: {
    status: 403,
    owasp: 'authz_fail',
    problem: { error: 'insufficient_scope', error_description: TOOL, detail: TOOL },
  },
  session_mismatch: {
    // What the transport's specification wants for a session that there is not: clients initialize another one.
    status: 404,
    owasp: 'authz_fail',
    problem: {
      error: 'session_not_found',
      detail: 'There is no such session for this thread. Initialize a new session.',
    },
  },
  malformed_body: {
    status: 400,
    owasp: 'input_validation_fail',
    problem: {
      error: 'invalid_request',
      detail: 'The body must be JSON-RPC 2.0: JSON in UTF-8, without duplicate members in an object',
    },
  },
  header_mismatch: {
    status: 400,
    owasp: 'input_validation_fail',
    problem: { error: 'invalid_request', detail: 'Mcp-Method and Mcp-Name must match the body' },
  },
  unsupported_body: {
    status: 415,
    owasp: 'input_validation_fail',
    problem: {
      error: 'invalid_request',
      detail: 'Send the body as application/json in UTF-8, without Content-Encoding',
    },
  },
  body_too_large: { status: 413, owasp: 'input_validation_fail', problem: { error: 'invalid_request' } },
}

/** The credential is good: another one would not help. */
const UNCHALLENGED: ReadonlySet<McpCredentialReason> = new Set([
  'session_mismatch',
  'malformed_body',
  'header_mismatch',
  'unsupported_body',
  'body_too_large',
])

const ENDED: ReadonlySet<McpCredentialReason> = new Set(['idle', 'expired', 'revoked', 'superseded'])

/** Whether a reason is of a credential whose secret was proven, and that has ended. */
export function isEnded(reason: McpCredentialReason): boolean {
  return ENDED.has(reason)
}

// `Bearer` must be followed by a parameter (RFC 6750 §3).
const NOTHING_PRESENTED: readonly Challenge[] = [{ scheme: 'Bearer', parameters: { realm: 'mcp' } }]

/** The challenge of a refusal; without one, that of a request that presents nothing (RFC 6750 §3). */
export function challengeOf(refusal?: Denied<McpCredentialReason>): readonly Challenge[] {
  if (refusal !== undefined && UNCHALLENGED.has(refusal.reason)) return []
  const problem: Problem = (refusal && memberOf(reasons[refusal.reason], 'problem')) ?? {}
  const error = memberOf(problem, 'error')
  const error_description = memberOf(problem, 'error_description')
  if (error === undefined) return NOTHING_PRESENTED
  const description: Readonly<Record<string, string>> = error_description === undefined ? {} : { error_description }
  return [{ scheme: 'Bearer', parameters: { error, ...description, ...refusal?.parameters } }]
}
