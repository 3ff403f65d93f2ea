import type { ReasonTable, Verdict } from '@countersign/core/gate-kit'
import type { SettingsSessionPrincipal } from './principal.js'

// One body for all that is unproven: it must not tell a session that was from one that never was.
const unproven = { status: 401, owasp: 'authn_login_fail' } as const
const ended = { status: 401, owasp: 'session_expired', severity: 'info' } as const
const identity = {
  status: 403,
  owasp: 'authz_fail',
  problem: { error: 'identity_required', detail: 'Sign in to go on' },
} as const

/** What each refusal means to the client and to the audit: of the gate, and of the routes that lead to a session. */
export const reasons = {
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
  /** A link that opened a session before. */
  spent: { status: 401, owasp: 'authn_token_reuse' },
  /** A link for another part of the app, or with metadata that is no longer understood. It is not spent by this. */
  wrong_kind: { status: 403, owasp: 'authz_fail' },
  /** The digits are not those that the chat shows. */
  wrong_code: { status: 403, owasp: 'authn_login_fail' },
  awaiting_identity: identity,
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
  identity_mismatch: { status: 403, owasp: 'authz_fail', severity: 'critical' },
  /** The person did not sign in at the provider, or the provider's answer is not one to a question of ours. */
  sign_in_failed: { status: 403, owasp: 'authn_login_fail' },
  telegram_invalid: { status: 401, owasp: 'authn_login_fail' },
  telegram_replayed: { status: 401, owasp: 'authn_token_reuse', severity: 'critical' },
} as const satisfies ReasonTable<string>

export type SettingsSessionReason = keyof typeof reasons

/** What could not be asked when the answer is 503. */
export type SettingsSessionDependency = 'session_store' | 'identity_provider'

export type SettingsSessionVerdict = Verdict<SettingsSessionPrincipal, SettingsSessionReason, SettingsSessionDependency>
