import type { Clock } from '@countersign/core'

/** Allows at most so many calls in any period of a length. */
export interface RequestLimit {
  take(): boolean
  /** Seconds until one can be taken, at least 1. */
  retryAfterSeconds(): number
}

/** Makes a limit of `size` calls in any `periodMs`. */
export function createRequestLimit(clock: Clock, size: number, periodMs: number): RequestLimit {
  const takenMs: number[] = []
  const oldestMs = () => (takenMs.length < size ? Number.NEGATIVE_INFINITY : (takenMs[0] as number))
  return {
    take() {
      const now = clock.monotonic()
      if (now - oldestMs() < periodMs) return false
      if (takenMs.length === size) takenMs.shift()
      takenMs.push(now)
      return true
    },
    retryAfterSeconds: () => Math.max(1, Math.ceil((oldestMs() + periodMs - clock.monotonic()) / 1000)),
  }
}
