import type { Clock } from '@countersign/core'

/** A clock that stands still until it is moved. */
export interface FakeClock extends Clock {
  /** Lets time pass. */
  advance(ms: number): void
  /** Sets the wall clock without time passing, as a correction by NTP does. */
  jump(ms: number): void
}

export function fakeClock(startMs = Date.UTC(2026, 0, 1)): FakeClock {
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
