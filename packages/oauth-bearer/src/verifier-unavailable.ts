/**
 * What a `verify` or `isRevoked` function throws when it cannot know now: the answer is 503 with `Retry-After`, and the
 * client keeps its token.
 */
export class VerifierUnavailable extends Error {
  readonly code = 'ERR_COUNTERSIGN_UNAVAILABLE'
  override readonly name = 'VerifierUnavailable'
  /** Seconds after which to try again. Default 1. */
  readonly retryAfterSeconds: number

  constructor(
    message = 'The verifier cannot be asked',
    { retryAfterSeconds = 1, ...options }: ErrorOptions & { readonly retryAfterSeconds?: number } = {},
  ) {
    super(message, options)
    this.retryAfterSeconds = retryAfterSeconds
  }
}
