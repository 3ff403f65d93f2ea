/** Time, injected everywhere so that tests can move it. */
export interface Clock {
  /** Milliseconds since the epoch. May jump. */
  now(): number
  /** Milliseconds since some fixed moment. Never goes backward. */
  monotonic(): number
}

/** The clocks of the machine: `Date.now` and `performance.now`. */
export const systemClock: Clock = Object.freeze({ now: () => Date.now(), monotonic: () => performance.now() })
