import type { Clock } from '@countersign/core'

/** A circuit breaker: after failures it is open for a while, longer with each further failure. */
export interface Circuit {
  /** Whether there has been no failure since the last success. */
  readonly isHealthy: boolean
  /** Whether the server may be asked now. */
  mayTry(): boolean
  succeeded(): void
  failed(): void
  /** Seconds until the server may be asked, at least 1. */
  retryAfterSeconds(): number
}

/** When a circuit opens, and for how many milliseconds. */
export interface CircuitOptions {
  /** Consecutive failures that open it. */
  readonly threshold: number
  readonly baseMs: number
  readonly maxMs: number
}

/** Makes a closed circuit. */
export function createCircuit(clock: Clock, { threshold, baseMs, maxMs }: CircuitOptions): Circuit {
  let failures = 0
  let openUntilMs = Number.NEGATIVE_INFINITY
  return {
    get isHealthy() {
      return failures === 0
    },
    mayTry: () => clock.monotonic() >= openUntilMs,
    succeeded() {
      failures = 0
      openUntilMs = Number.NEGATIVE_INFINITY
    },
    failed() {
      // A request that started before the circuit opened says nothing new: one fault under load must not count fifty times.
      if (clock.monotonic() < openUntilMs) return
      failures += 1
      if (failures < threshold) return
      const delayMs = Math.min(maxMs, baseMs * 2 ** Math.min(30, failures - threshold))
      // Up to a fifth sooner, at random: processes that failed together must not come back together.
      openUntilMs = clock.monotonic() + delayMs * (1 - Math.random() / 5)
    },
    retryAfterSeconds: () => Math.max(1, Math.ceil((openUntilMs - clock.monotonic()) / 1000)),
  }
}
