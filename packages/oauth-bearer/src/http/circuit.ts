import type { Clock } from '@countersign/core'

/** Leaves a failing server alone for a while, longer with each failure; what is open lets nothing through. */
export interface Circuit {
  /** Whether nothing has failed since the last success. */
  readonly isHealthy: boolean
  /** Whether the server may be asked now. */
  mayTry(): boolean
  succeeded(): void
  failed(): void
  /** Seconds until it may be asked, 1 at least. */
  retryAfterSeconds(): number
}

export interface CircuitOptions {
  /** Failures in a row that open it. */
  readonly threshold: number
  readonly baseMs: number
  readonly maxMs: number
}

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
      // What was asked before it opened says nothing new: a moment's fault under load must not count fifty times.
      if (clock.monotonic() < openUntilMs) return
      failures += 1
      if (failures < threshold) return
      const delayMs = Math.min(maxMs, baseMs * 2 ** Math.min(30, failures - threshold))
      // Up to a fifth sooner, at random: many processes that failed together must not come back together.
      openUntilMs = clock.monotonic() + delayMs * (1 - Math.random() / 5)
    },
    retryAfterSeconds: () => Math.max(1, Math.ceil((openUntilMs - clock.monotonic()) / 1000)),
  }
}
