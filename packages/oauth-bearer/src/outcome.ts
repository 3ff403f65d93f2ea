import type { Denied, Granted, Unavailable, Verdict } from '@countersign/core/gate-kit'
import type { Times } from './claims.js'
import type { KeySource, TrustedKey } from './keys/key-source.js'
import type { OAuthBearerPrincipal } from './principal.js'
import type { OAuthBearerDependency, OAuthBearerReason } from './reasons.js'

/** What a signature was verified with. */
export interface Signer {
  readonly source: KeySource
  readonly key: TrustedKey
  readonly algorithm: string
}

/** A token that was verified: who holds it, and for how long that may be remembered. */
export interface Verified extends Times {
  readonly outcome: 'verified'
  /** Made once and frozen. Each request gets it with a principal of its own. */
  readonly verdict: Granted<OAuthBearerPrincipal>
  readonly toleranceMs: number
  /** For a JWT. The key must still be trusted on each hit. */
  readonly signer?: Signer | undefined
  /**
   * Until when it may be cached, on the monotonic clock, which corrections of the wall clock do not change. Undefined: it
   * must not be cached.
   */
  readonly keepUntilMs: number | undefined
}

/** What verifying a token can end with besides {@link Verified}. */
export type Refused = Denied<OAuthBearerReason> | Unavailable<OAuthBearerDependency>

/** What the gate decides. */
export type OAuthBearerVerdict = Verdict<OAuthBearerPrincipal, OAuthBearerReason, OAuthBearerDependency>

/** What verifying a token ends with, before revocation and the gate's demands are checked. */
export type TokenOutcome = Verified | Refused
