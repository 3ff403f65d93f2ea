import { isPromise } from '@countersign/core/gate-kit'

/** Goes on with a value that may or may not be a promise, without making one. */
export function andThen<T, R>(value: T | Promise<T>, next: (value: T) => R | Promise<R>): R | Promise<R> {
  return isPromise(value) ? value.then(next) : next(value)
}
