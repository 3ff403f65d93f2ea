import type { Denied, Granted, Unavailable, Verdict } from '@countersign/core/gate-kit'
import type { Request } from 'express'
import type { Times } from './claims.js'
import type { DpopMode } from './dpop-options.js'
import type { KeySource, TrustedKey } from './keys/key-source.js'
import type { OAuthBearerPrincipal } from './principal.js'
import type { PresentedToken } from './read.js'
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
  /** Whether the issuer's tokens may, or must, be bound to a key. Undefined: nothing here checks it. */
  readonly dpop?: DpopMode | undefined
}

/** What verifying a token can end with besides {@link Verified}. */
export type Refused = Denied<OAuthBearerReason> | Unavailable<OAuthBearerDependency>

/** What the gate decides. */
export type OAuthBearerVerdict = Verdict<OAuthBearerPrincipal, OAuthBearerReason, OAuthBearerDependency>

/** What verifying a token ends with, before revocation and the gate's demands are checked. */
export type TokenOutcome = Verified | Refused

/** Checks that one request comes from whom its token is bound to. Without it, nothing is said of bindings. */
export interface SenderCheck {
  /** Refuses a proof that is not good with any token, before work is done for a token that is not known. */
  early(): Denied<OAuthBearerReason> | undefined
  /** The verdict with what was proven in it; undefined where nothing need be. */
  confirm(verified: Verified): GrantedOrDenied | undefined | Promise<GrantedOrDenied | undefined>
  /** Uses the proof up. The last step: what is refused before leaves it unused. */
  claim(verdict: Granted<OAuthBearerPrincipal>): OAuthBearerVerdict | Promise<OAuthBearerVerdict>
}

type GrantedOrDenied = Granted<OAuthBearerPrincipal> | Denied<OAuthBearerReason>

/** Makes the check of one request; undefined where a token was handed over alone. */
export type CheckSender<M = Request> = (presented: PresentedToken, request: M | undefined) => SenderCheck
