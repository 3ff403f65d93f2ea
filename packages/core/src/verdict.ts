import type { AuditAttributes, AuditCredential } from '@countersign/audit'
import type { PrincipalBase } from './principal.js'

/** What the audit event says beside the verdict. Never a secret, a token, a signature, a nonce, a link, a cookie. */
export interface VerdictDetail {
  readonly credential?: AuditCredential
  readonly attributes?: AuditAttributes
  /** Who it would be: only a configured name, or one that is proven. Otherwise the event says `unknown`. */
  readonly principalId?: string
  /** Milliseconds of the decision that a store took. */
  readonly storeMs?: number
}

export interface Granted<P extends PrincipalBase> {
  readonly outcome: 'granted'
  readonly principal: P
  readonly detail?: VerdictDetail
}

export interface Denied<R extends string> {
  readonly outcome: 'denied'
  readonly reason: R
  readonly detail?: VerdictDetail
  /** Added to the challenge, e.g. `scope`: what would be enough. Constants and configuration only. */
  readonly parameters?: Readonly<Record<string, string>>
  /** Added to the problem body. Constants and configuration only. */
  readonly members?: Readonly<Record<string, unknown>>
}

export interface Unavailable<D extends string> {
  readonly outcome: 'unavailable'
  /** What could not be asked. The audit event's reason. */
  readonly dependency: D
  readonly detail?: VerdictDetail
  /** Default: the gate's, else 1 s. */
  readonly retryAfterSeconds?: number
}

/** What a gate decides. A value, never an exception. */
export type Verdict<P extends PrincipalBase, R extends string, D extends string> =
  | Granted<P>
  | Denied<R>
  | Unavailable<D>

export function granted<P extends PrincipalBase>(principal: P, detail?: VerdictDetail): Granted<P> {
  return { outcome: 'granted', principal, detail }
}

export function denied<R extends string>(reason: R, rest?: Omit<Denied<R>, 'outcome' | 'reason'>): Denied<R> {
  return { outcome: 'denied', reason, ...rest }
}

export function unavailable<D extends string>(
  dependency: D,
  rest?: Omit<Unavailable<D>, 'outcome' | 'dependency'>,
): Unavailable<D> {
  return { outcome: 'unavailable', dependency, ...rest }
}
