import type { Clock } from '@countersign/core'

/** A token bucket: allows `size` calls at once, and refills as many over each `periodMs`. */
export interface TokenBucket {
  take(): boolean
  /** Seconds until one can be taken, at least 1. */
  retryAfterSeconds(): number
}

/** Makes a full bucket. */
export function createTokenBucket(clock: Clock, size: number, periodMs: number): TokenBucket {
  let tokens = size
  let filledMs = clock.monotonic()

  function fill(): void {
    const now = clock.monotonic()
    tokens = Math.min(size, tokens + ((now - filledMs) * size) / periodMs)
    filledMs = now
  }

  return {
    take() {
      fill()
      if (tokens < 1) return false
      tokens -= 1
      return true
    },
    retryAfterSeconds() {
      fill()
      return Math.max(1, Math.ceil(((1 - tokens) * periodMs) / size / 1000))
    },
  }
}
