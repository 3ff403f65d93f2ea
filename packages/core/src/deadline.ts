/** A wait that ended before what it waited for. */
export class DeadlineError extends Error {
  readonly code = 'ERR_DEADLINE'
  override readonly name = 'DeadlineError'
  constructor(what: string, timeoutMs: number) {
    super(`${what} took longer than ${Math.max(0, Math.round(timeoutMs))} ms`)
  }
}

/**
 * Settles as `work` does, or rejects with {@link DeadlineError} after `timeoutMs`. The work itself is not stopped; a
 * later rejection of it is swallowed.
 */
export function withDeadline<T>(work: PromiseLike<T>, timeoutMs: number, what: string): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const timer = setTimeout(() => reject(new DeadlineError(what, timeoutMs)), timeoutMs)
    work.then(
      (value) => {
        clearTimeout(timer)
        resolve(value)
      },
      (error: unknown) => {
        clearTimeout(timer)
        reject(error)
      },
    )
  })
}
