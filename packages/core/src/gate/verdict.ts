import type { AuditAttributes, AuditCredential } from '../audit/event.js'
import type { PrincipalBase } from './principal.js'

/** What the audit event says beside the verdict. Never a secret, a token, a signature, a nonce, a link, a cookie. */
export interface VerdictDetail {
  readonly credential?: AuditCredential | undefined
  /** What was seen against what was expected. Names are snake_case. */
  readonly attributes?: AuditAttributes | undefined
  /** Who it would be: only a configured name, or one that is proven. Otherwise the event says `unknown`. */
  readonly principalId?: string | undefined
  /** Milliseconds of the decision that a store took. */
  readonly storeMs?: number | undefined
}

/** The verdict of a credential that was verified. */
export interface Granted<P extends PrincipalBase = PrincipalBase> {
  readonly outcome: 'granted'
  readonly principal: P
  readonly detail?: VerdictDetail | undefined
}

/** The verdict of a credential that is not good, or not good enough. */
export interface Denied<R extends string = string> {
  readonly outcome: 'denied'
  readonly reason: R
  readonly detail?: VerdictDetail | undefined
  /** Added to the challenge, e.g. `scope`: what would be enough. Constants and configuration only. */
  readonly parameters?: Readonly<Record<string, string>> | undefined
  /** Added to the problem document. Constants and configuration only. */
  readonly members?: Readonly<Record<string, unknown>> | undefined
  /** Of a reason with the status 429: after how long the request may be made again. */
  readonly retryAfterSeconds?: number | undefined
  /** Added to the header fields of the answer, e.g. `DPoP-Nonce`. */
  readonly headers?: Readonly<Record<string, string>> | undefined
}

/** The verdict when a dependency could not be asked. */
export interface Unavailable<D extends string = string> {
  readonly outcome: 'unavailable'
  /** What could not be asked. The audit event's reason. */
  readonly dependency: D
  readonly detail?: VerdictDetail | undefined
  /** Default 1 s. */
  readonly retryAfterSeconds?: number | undefined
}

/** What a gate decides. A value, never an exception. */
export type Verdict<P extends PrincipalBase = PrincipalBase, R extends string = string, D extends string = string> =
  | Granted<P>
  | Denied<R>
  | Unavailable<D>

/** The end of a decision that a bug cut short: 500 without detail. */
export interface Failed {
  readonly outcome: 'failed'
  readonly error: unknown
}

/** What {@link record} and {@link answer} take: a verdict, or a failure in place of one. */
export type Decision<P extends PrincipalBase = PrincipalBase, R extends string = string, D extends string = string> =
  | Verdict<P, R, D>
  | Failed

/** A decision that does not let the request through. */
export type Refusal<R extends string = string, D extends string = string> = Denied<R> | Unavailable<D> | Failed

/** The verdict of a credential that was verified. */
export function granted<P extends PrincipalBase>(principal: P, detail?: VerdictDetail): Granted<P> {
  return { outcome: 'granted', principal, detail }
}

/** The verdict of a credential that is not good, or not good enough, with its reason. */
export function denied<R extends string>(reason: R, rest?: Omit<Denied<R>, 'outcome' | 'reason'>): Denied<R> {
  return { outcome: 'denied', reason, ...rest }
}

/** The verdict when a dependency could not be asked. For what a dependency threw, see `unavailableBy`. */
export function unavailable<D extends string>(
  dependency: D,
  rest?: Omit<Unavailable<D>, 'outcome' | 'dependency'>,
): Unavailable<D> {
  return { outcome: 'unavailable', dependency, ...rest }
}

/**
 * The decision itself, when it is one; a principal in it is frozen.
 *
 * @throws {TypeError} for anything else, such as a grant without a principal: a bug must not be a way in.
 */
export function checkDecision<T extends Decision>(decision: T): T {
  const outcome: unknown = decision?.outcome
  if (outcome === 'denied' || outcome === 'unavailable' || outcome === 'failed') return decision
  const { principal } = (outcome === 'granted' ? decision : {}) as Partial<Granted>
  if (typeof principal !== 'object' || typeof principal?.kind !== 'string' || typeof principal.id !== 'string') {
    throw new TypeError('verify() must return granted(principal), denied(reason) or unavailable(dependency)')
  }
  Object.freeze(principal)
  return decision
}

/** Whether what a gate read is already a refusal. */
export function isDenied(value: unknown): value is Denied {
  return typeof value === 'object' && value !== null && (value as Partial<Denied>).outcome === 'denied'
}
