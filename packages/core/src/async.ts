// Not the global one: a test that fakes it would never see a deadline missed.
import { setImmediate } from 'node:timers'
import { UnavailableError } from './stores/unavailable-error.js'

/** Whether a value is a promise, or anything else with a `then` method. */
export function isPromise<T>(value: T | PromiseLike<T>): value is PromiseLike<T> {
  return typeof (value as PromiseLike<T> | undefined)?.then === 'function'
}

/** Continues with a value that may or may not be a promise, without making one. */
export function andThen<T, R>(value: T | PromiseLike<T>, next: (value: T) => R | PromiseLike<R>): R | Promise<R> {
  return (isPromise(value) ? Promise.resolve(value).then(next) : next(value)) as R | Promise<R>
}

/**
 * Continues with the result of `work`, which may or may not be a promise, without making one: what is already known is
 * decided in the same tick. `onError` gets what `work` threw or rejected with, never what `onValue` threw.
 */
export function settle<T, R>(
  work: () => T | PromiseLike<T>,
  onValue: (value: T) => R | PromiseLike<R>,
  onError: (error: unknown) => R | PromiseLike<R>,
): R | Promise<R> {
  let value: T | PromiseLike<T>
  try {
    value = work()
  } catch (error) {
    return onError(error) as R | Promise<R>
  }
  if (!isPromise(value)) return onValue(value) as R | Promise<R>
  return Promise.resolve(value).then(onValue, onError) as Promise<R>
}

/** A timer that is late by so much was held up by this process itself. */
const STALL_MS = 2
/** What a stall gives back at least: an answer that could only be asked for after it is on its way. */
const LEAST_GRACE_MS = 50

/**
 * Calls `miss` after `timeoutMs` milliseconds, unless the function that it returns was called before. A stall of this
 * process is not the dependency's: what it took at the end is given back once, at most `timeoutMs`, and what has arrived
 * by then is read before the deadline counts as missed.
 */
export function startDeadline(timeoutMs: number, miss: () => void): () => void {
  const dueMs = performance.now() + timeoutMs
  let isOver = false
  // Timers come before the event loop reads its sockets, and immediates after it.
  const readFirst = () => {
    setImmediate(() => {
      if (!isOver) miss()
    })
  }
  let timer = setTimeout(() => {
    const lateMs = performance.now() - dueMs
    if (lateMs < STALL_MS) readFirst()
    else timer = setTimeout(readFirst, Math.min(timeoutMs, Math.max(lateMs, LEAST_GRACE_MS)))
  }, timeoutMs)
  return () => {
    isOver = true
    clearTimeout(timer)
  }
}

/**
 * Settles as `work` does, or rejects with an {@link UnavailableError} (`isTimeout`) after `timeoutMs` milliseconds, by
 * {@link startDeadline}. The work itself is not stopped; a later rejection of it is ignored.
 */
export function withDeadline<T>(work: PromiseLike<T>, timeoutMs: number, dependency: string): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const end = startDeadline(timeoutMs, () => {
      const message = `${dependency} did not answer within ${Math.max(0, Math.round(timeoutMs))} ms`
      reject(new UnavailableError(dependency, message, { isTimeout: true }))
    })
    work.then(
      (value) => {
        end()
        resolve(value)
      },
      (error: unknown) => {
        end()
        reject(error)
      },
    )
  })
}

/** What `work` resolves to, or undefined when `timeoutMs` passed first. */
export async function within<T>(work: Promise<T>, timeoutMs: number): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(resolve, Math.max(0, timeoutMs), undefined)
  })
  return Promise.race([work, late]).finally(() => clearTimeout(timer))
}
