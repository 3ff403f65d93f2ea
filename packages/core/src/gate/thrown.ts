import type { AuditAttributes } from '../audit/event.js'
import { isUnavailable } from '../stores/unavailable-error.js'
import { type Failed, type Unavailable, unavailable, type VerdictDetail } from './verdict.js'

/**
 * Whether something that was thrown is a bug (500) and not an outage (503): a `ReferenceError`, or a `TypeError` or
 * `RangeError` without `cause` whose message is not `fetch failed`. Told apart by `name`: an error of another realm is no
 * instance of this one's classes. See decision 0006.
 */
export function isBug(error: unknown): boolean {
  if (isUnavailable(error)) return false
  try {
    const { name, message, cause } = error as { name?: unknown; message?: unknown; cause?: unknown }
    if (name === 'ReferenceError') return true
    return (name === 'TypeError' || name === 'RangeError') && cause === undefined && message !== 'fetch failed'
  } catch {
    // It has no members, or they cannot be read: so nothing says that it is a bug.
    return false
  }
}

/**
 * The verdict on what a store or a callback threw: *unavailable*, with the error's name, code and place for the event.
 *
 * @throws what was thrown, when it is a bug: the gate answers that with 500.
 * @example
 * settle(() => store.claim(key, ttlMs), decide, (error) => unavailableBy(error, 'replay_store'))
 */
export function unavailableBy<D extends string>(error: unknown, dependency: D, detail?: VerdictDetail): Unavailable<D> {
  if (isBug(error)) throw error
  const retryAfterSeconds = isUnavailable(error) ? error.retryAfterSeconds : undefined
  const attributes = { ...detail?.attributes, ...describeError(error), ...failureOf(error) }
  return unavailable(dependency, { detail: { ...detail, attributes }, retryAfterSeconds })
}

/** The first word of an error reply of Redis, such as `READONLY`: a constant of its own. */
const REPLY_WORD = /^[A-Z]{3,32}(?= |$)/

/** Why a dependency could not be asked, in one word that holds nothing of the request: for the operator. */
function failureOf(error: unknown): AuditAttributes {
  if (!isUnavailable(error)) return {}
  if (error.isTimeout) return { failure: 'timeout' }
  if (isUnavailable(error.cause)) return failureOf(error.cause)
  try {
    const { name, code, message } = (error.cause ?? {}) as Partial<Error> & { readonly code?: unknown }
    const word = typeof code === 'string' ? code : (REPLY_WORD.exec(String(message))?.[0] ?? name)
    return typeof word === 'string' ? { failure: word } : {}
  } catch {
    return {}
  }
}

/**
 * What a throw from `read`, `verify` or `demand` becomes: a failure when it is a bug, else *unavailable*. The
 * dependency is the one that the error names, if it is one of the gate's, else the gate's first.
 */
export function decisionOn<D extends string>(error: unknown, dependencies: readonly D[]): Unavailable<D> | Failed {
  if (isBug(error)) return { outcome: 'failed', error }
  const named = isUnavailable(error) ? dependencies.find((dependency) => dependency === error.dependency) : undefined
  return unavailableBy(error, named ?? (dependencies[0] as D))
}

/**
 * Name, code and place of what was thrown, for an event. That may be anything, and the event must not be lost with it.
 * The message stays out: it may hold what was being read.
 */
export function describeError(error: unknown): AuditAttributes {
  try {
    if (typeof error !== 'object' || error === null) return { error: typeof error }
    const { name, message, stack, code } = error as Error & { code?: unknown }
    const at = placeOf(stack, message)
    return {
      error: typeof name === 'string' ? name : 'object',
      ...(typeof code === 'string' ? { code } : {}),
      ...(at === undefined ? {} : { at }),
    }
  } catch {
    return { error: 'unreadable' }
  }
}

const FRAME = /^\s*at (.*:\d+:\d+\)?)$/

/** The first frame of a stack. What precedes it is the message, of any number of lines, and may look like one. */
function placeOf(stack: unknown, message: string): string | undefined {
  if (typeof stack !== 'string') return undefined
  const start = stack.includes(message) ? stack.indexOf(message) + message.length : 0
  for (const line of stack.slice(start).split('\n')) {
    const place = FRAME.exec(line)?.[1]
    if (place !== undefined) return place
  }
  return undefined
}
