import type { Challenge, Denied, ReasonTable, Verdict } from '@countersign/core/gate-kit'
import type { SettingsSessionPrincipal } from './principal.js'

// One body for all that is unproven: it must not tell a session that existed from one that never did.
const unproven = { status: 401, owasp: 'authn_login_fail' } as const
const ended = { status: 401, owasp: 'session_expired', severity: 'info' } as const

/** Why the gate, or a route that leads to a session, refuses a request. */
export type SettingsSessionReason =
  | 'missing'
  | 'malformed'
  | 'link_in_wrong_place'
  | 'unknown'
  | 'idle'
  | 'expired'
  | 'revoked'
  | 'spent'
  | 'wrong_kind'
  | 'wrong_code'
  | 'awaiting_identity'
  | 'stale'
  | 'cross_site'
  | 'unsupported_body'
  | 'identity_mismatch'
  | 'sign_in_failed'
  | 'telegram_invalid'
  | 'replayed'
  | 'too_many_attempts'

/** What each reason means to the client and to the audit. */
export const reasons: ReasonTable<SettingsSessionReason> = {
  missing: unproven,
  malformed: unproven,
  link_in_wrong_place: {
    status: 400,
    owasp: 'input_validation_fail',
    severity: 'critical',
    problem: { detail: 'A link opens a session; it is not a credential here' },
  },
  unknown: unproven,
  idle: ended,
  expired: ended,
  revoked: { ...ended, owasp: 'session_use_after_expire', severity: 'warning' },
  /** The link has opened a session. */
  spent: { status: 401, owasp: 'authn_token_reuse' },
  /** A link for another part of the app, or with metadata that is no longer valid. This does not spend it. */
  wrong_kind: { status: 403, owasp: 'authz_fail' },
  /** The digits are not those that the chat shows. */
  wrong_code: { status: 403, owasp: 'authn_login_fail' },
  awaiting_identity: {
    status: 403,
    owasp: 'authz_fail',
    problem: { error: 'identity_required', detail: 'Sign in to continue' },
  },
  stale: {
    status: 403,
    owasp: 'authz_fail',
    severity: 'info',
    problem: { error: 'reauthentication_required', detail: 'Sign in again to do this' },
  },
  cross_site: {
    status: 403,
    owasp: 'input_validation_fail',
    severity: 'critical',
    problem: { detail: 'The request does not come from this site' },
  },
  /** From our own page, but in no form that is read: `fetch` sends a string as `text/plain`. */
  unsupported_body: {
    status: 415,
    owasp: 'input_validation_fail',
    problem: { detail: 'Send the body with Content-Type: application/json. Without one, fetch sends text/plain' },
  },
  identity_mismatch: { status: 403, owasp: 'authz_fail', severity: 'critical' },
  /** The person did not sign in at the provider, or the provider's answer does not belong to a sign-in of this browser. */
  sign_in_failed: { status: 403, owasp: 'authn_login_fail' },
  telegram_invalid: { status: 401, owasp: 'authn_login_fail' },
  /** Telegram's data was used before, in another browser. */
  replayed: { status: 401, owasp: 'authn_token_reuse', severity: 'critical' },
  /** One link, one user or one browser was tried too often in a short time. */
  too_many_attempts: {
    status: 429,
    owasp: 'excess_rate_limit_exceeded',
    problem: { detail: 'Too many attempts; try again later' },
  },
}

/** Every dependency; the first is what a throw means that names none of them. */
export const dependencies = ['session_store', 'oauth_provider', 'on_open', 'on_first_claim', 'allow_chat'] as const

/** What could not be asked: the store, the provider, or a function of the app's own by the name of its option. */
export type SettingsSessionDependency = (typeof dependencies)[number]

/** What the gate decides. */
export type SettingsSessionVerdict = Verdict<SettingsSessionPrincipal, SettingsSessionReason, SettingsSessionDependency>

// A scheme of our own, that no browser asks a password for.
const CHALLENGES: readonly Challenge[] = Object.freeze([{ scheme: 'Countersign-Settings-Session' }])

/** The challenges of a refusal: of every 401, and of a request that presents nothing. */
export function challengesOf(refusal?: Denied<SettingsSessionReason>): readonly Challenge[] {
  return refusal === undefined || reasons[refusal.reason].status === 401 ? CHALLENGES : []
}
