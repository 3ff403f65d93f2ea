import type { Clock } from '@countersign/core'

/** A clock that stands still until it is moved. */
export interface FakeClock extends Clock {
  /** Lets time pass. */
  advance(ms: number): void
  /** Sets the wall clock without time passing, as a correction by NTP does. */
  jump(ms: number): void
}

/**
 * Makes a clock for the `clock` option of gates and stores. It starts at `startMs` (ms since the epoch).
 *
 * @example
 * const clock = fakeClock()
 * app.use(requireHmac({ secrets, audience, clock }))
 * clock.advance(301_000)
 */
export function fakeClock(startMs: number = Date.UTC(2026, 0, 1)): FakeClock {
  let wall = startMs
  let running = 0
  return {
    now: () => wall,
    monotonic: () => running,
    advance: (ms) => {
      wall += ms
      running += ms
    },
    jump: (ms) => {
      wall += ms
    },
  }
}
