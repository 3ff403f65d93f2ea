import type { Denied, ReasonTable, Verdict } from '@countersign/core/gate-kit'
import type { UnreadableClaim } from './formats/format.js'
import type { HmacPrincipal } from './principal.js'

/** Why a request was denied. */
export type HmacReason =
  | 'missing'
  | 'malformed'
  | 'ambiguous'
  | 'unknown_caller'
  | 'expired'
  | 'not_yet_valid'
  | 'unknown_key_version'
  | 'no_active_secret'
  | 'bad_signature'
  | 'wrong_audience'
  | 'body_too_large'
  | 'digest_mismatch'
  | 'replayed'
  | 'legacy_refused'

/** What could not be asked when a gate answers 503. */
export type HmacDependency = 'secret_store' | 'secret_unreadable' | 'replay_store'

/** What the gate decides. */
export type HmacVerdict = Verdict<HmacPrincipal, HmacReason, HmacDependency>

/** A refusal with its reason. */
export type HmacDenied = Denied<HmacReason>

// One body for all that is unproven: it must not tell a caller that exists from one that does not.
const unproven = { status: 401, owasp: 'authn_login_fail' } as const

/** What each reason means to the client and to the audit. */
export const reasons: ReasonTable<HmacReason> = {
  missing: unproven,
  malformed: unproven,
  ambiguous: {
    status: 400,
    owasp: 'input_validation_fail',
    problem: { detail: 'Duplicated or competing credentials' },
  },
  unknown_caller: unproven,
  expired: unproven,
  not_yet_valid: unproven,
  unknown_key_version: unproven,
  no_active_secret: unproven,
  bad_signature: unproven,
  wrong_audience: unproven,
  body_too_large: { status: 413, owasp: 'input_validation_fail' },
  digest_mismatch: unproven,
  replayed: { status: 401, owasp: 'authn_token_reuse', severity: 'critical' },
  legacy_refused: unproven,
}

/** What each attribute `hint` means, in a sentence for the operator. */
export const hints: Readonly<Record<NonNullable<UnreadableClaim['hint']>, string>> = {
  milliseconds: 'The time of the signature is in milliseconds: send seconds since the epoch.',
}

/** What each reason and each dependency means, in a sentence for the operator. Never sent to a client. */
export const meanings: Readonly<Record<HmacReason | HmacDependency, string>> = {
  missing: 'No header field of an accepted format arrived, or no signature with its tag.',
  malformed: 'A header field breaks the grammar, or the body ended early.',
  ambiguous: 'The request has a header field twice, signatures in two formats, or two old keys.',
  unknown_caller: 'The verifier does not know the caller.',
  expired: 'The signature is older than the window, or past its expires.',
  not_yet_valid: 'The signature is dated further ahead than the window.',
  unknown_key_version: 'The verifier does not have this version of the secret.',
  no_active_secret: 'The secret has expired, was revoked, or is not valid yet.',
  bad_signature: 'The secret differs, or the method, path, query, audience or body was changed on the way.',
  wrong_audience: 'The signature is for the Host, which is not an audience of the verifier.',
  body_too_large: 'The body is larger than maxBodyBytes.',
  digest_mismatch: 'The body was changed after it was signed.',
  replayed: 'The signature was used before.',
  legacy_refused: 'The old key was presented, and enforce refuses it.',
  secret_store: 'The secret store is unreachable.',
  secret_unreadable:
    'The stored secret cannot be decrypted: its key-encryption key is missing, or the row was altered.',
  replay_store: 'The replay store is unreachable.',
}
