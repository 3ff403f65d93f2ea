export function isPromise<T>(value: T | PromiseLike<T>): value is PromiseLike<T> {
  return typeof (value as PromiseLike<T> | undefined)?.then === 'function'
}

/**
 * Goes on with the result of `work`, which may or may not be a promise, without making one: what is known already is
 * decided in the same tick. `onError` gets what `work` threw or rejected with, never what `onValue` threw.
 */
export function settle<T, R>(
  work: () => T | PromiseLike<T>,
  onValue: (value: T) => R,
  onError: (error: unknown) => R,
): R | Promise<Awaited<R>> {
  let value: T | PromiseLike<T>
  try {
    value = work()
  } catch (error) {
    return onError(error)
  }
  if (!isPromise(value)) return onValue(value)
  return Promise.resolve(value).then(onValue, onError) as Promise<Awaited<R>>
}
