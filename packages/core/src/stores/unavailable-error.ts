/** By this, copies of the package recognise each other's errors. */
const BRAND = Symbol.for('countersign.unavailable/1')
const CODE = 'ERR_COUNTERSIGN_UNAVAILABLE'

/** What an {@link UnavailableError} may say beyond its message. */
export interface UnavailableErrorOptions extends ErrorOptions {
  /** Seconds after which to ask again: the `Retry-After` of the 503. Default 1. */
  readonly retryAfterSeconds?: number | undefined
  /** The dependency missed a deadline, so what it did is not known. */
  readonly isTimeout?: boolean | undefined
}

/**
 * What a store or a callback throws when it cannot answer now: down, too slow, full. Never "not found". Gates answer it
 * with 503 and `Retry-After`, and clients keep their credentials.
 *
 * @example
 * verify: async (token) => {
 *   const response = await fetch(endpoint)
 *   if (response.status >= 500) throw new UnavailableError('verifier', 'the token service answers 5xx', { retryAfterSeconds: 5 })
 * }
 */
export class UnavailableError extends Error {
  override readonly name = 'UnavailableError'
  readonly code: 'ERR_COUNTERSIGN_UNAVAILABLE' = CODE
  /** The `Retry-After` of the 503. Undefined: 1 s. */
  readonly retryAfterSeconds: number | undefined
  /** Whether the dependency missed a deadline, so that what it did is not known. */
  readonly isTimeout: boolean
  /** What could not be asked, snake_case: `replay_store`, `keys`, `verifier`, … */
  readonly dependency: string

  constructor(dependency: string, message: string, options: UnavailableErrorOptions = {}) {
    const { retryAfterSeconds, isTimeout = false, ...rest } = options
    super(message, rest)
    this.dependency = dependency
    this.retryAfterSeconds = retryAfterSeconds
    this.isTimeout = isTimeout
    Object.defineProperty(this, BRAND, { value: true })
  }
}

/** Whether an error is an {@link UnavailableError}, of this copy of the package or of another one. */
export function isUnavailable(error: unknown): error is UnavailableError {
  if (typeof error !== 'object' || error === null) return false
  try {
    const { code, [BRAND]: brand } = error as { code?: unknown; [BRAND]?: unknown }
    return brand === true || code === CODE
  } catch {
    return false
  }
}
