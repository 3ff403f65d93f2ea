/**
 * What a store throws when it cannot answer: down, too slow, full. Never "not found"; gates turn it into
 * *unavailable*, 503.
 */
export class StoreUnavailableError extends Error {
  readonly code = 'ERR_STORE_UNAVAILABLE'
  override readonly name = 'StoreUnavailableError'
  constructor(
    readonly store: string,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options)
  }
}
