import type { ReasonTable, Verdict } from '@countersign/core/gate-kit'
import type { HmacPrincipal } from './principal.js'

// One body for all that is unproven: it must not tell a caller that exists from one that does not.
const unproven = { status: 401, owasp: 'authn_login_fail' } as const

/** What each refusal means to the client and to the audit. */
export const reasons = {
  missing: unproven,
  malformed: unproven,
  ambiguous: {
    status: 400,
    owasp: 'input_validation_fail',
    problem: { detail: 'Duplicated or competing credentials' },
  },
  unknown_caller: unproven,
  outside_window: unproven,
  unknown_key_version: unproven,
  no_active_secret: unproven,
  bad_signature: unproven,
  digest_mismatch: unproven,
  audience_mismatch: unproven,
  replayed: { status: 401, owasp: 'authn_token_reuse', severity: 'critical' },
  body_too_large: { status: 413, owasp: 'input_validation_fail' },
  legacy_refused: unproven,
} as const satisfies ReasonTable<string>

export type HmacReason = keyof typeof reasons

/** What could not be asked when a gate answers 503. */
export type HmacDependency = 'secret_store' | 'secret_unreadable' | 'replay_store'

export type HmacVerdict = Verdict<HmacPrincipal, HmacReason, HmacDependency>
