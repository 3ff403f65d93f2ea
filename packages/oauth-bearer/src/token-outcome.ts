import type { Denied, Granted, Unavailable } from '@countersign/core/gate-kit'
import type { KeySource, TrustedKey } from './keys/key-source.js'
import type { OAuthBearerPrincipal } from './principal.js'
import type { OAuthBearerDependency, OAuthBearerReason } from './reasons.js'

/** A token that was verified: whose it is, and how long that may be believed. */
export interface Verified {
  readonly outcome: 'verified'
  /** Made once, frozen, and handed out on each hit of the cache. */
  readonly verdict: Granted<OAuthBearerPrincipal>
  /** The times of the token's own claims, ms since the epoch, the tolerance not yet added. */
  readonly notBefore?: number
  readonly expiresAt?: number
  readonly toleranceMs: number
  /** What the signature was verified with; it must still be trusted on each hit. */
  readonly key?: { readonly source: KeySource; readonly key: TrustedKey; readonly algorithm: string }
  /** Until when it may be kept, on the monotonic clock: a correction of the other one must not prolong it. Absent: not. */
  readonly keepUntilMs?: number
}

export type Refused = Denied<OAuthBearerReason> | Unavailable<OAuthBearerDependency>

/** What verifying a token comes to, before what this request needs is asked. */
export type TokenOutcome = Verified | Refused

/** Whether a token's time has come and not gone. */
export function checkTimes(
  { notBefore, expiresAt, toleranceMs }: Pick<Verified, 'notBefore' | 'expiresAt' | 'toleranceMs'>,
  now: number,
): 'expired' | 'not_yet_valid' | undefined {
  if (expiresAt !== undefined && now >= expiresAt + toleranceMs) return 'expired'
  return notBefore !== undefined && now < notBefore - toleranceMs ? 'not_yet_valid' : undefined
}
