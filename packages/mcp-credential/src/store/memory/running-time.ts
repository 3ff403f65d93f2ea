import type { Clock } from '@countersign/core'

/** How often the clock is read. */
export const TICK_MS = 15_000
/** What one tick adds at most: the sleep of a computer, or of a stopped process, is not idleness. */
const MOST_PER_TICK_MS = 2 * TICK_MS

/**
 * The two times of the memory store. `now` is the wall clock at the start plus what the monotonic clock measured since,
 * so a correction of the wall clock moves nothing. `running` leaves out the time in which the process did not run.
 */
export class RunningTime {
  readonly #clock: Clock
  readonly #offset: number
  #lastTick: number
  #ran = 0

  constructor(clock: Clock) {
    this.#clock = clock
    this.#lastTick = clock.monotonic()
    this.#offset = clock.now() - this.#lastTick
  }

  /** Milliseconds since the epoch. */
  now(): number {
    return Math.floor(this.#offset + this.#clock.monotonic())
  }

  /** Milliseconds of running time since the start. */
  running(): number {
    return this.#ran + Math.min(this.#clock.monotonic() - this.#lastTick, MOST_PER_TICK_MS)
  }

  tick(): void {
    this.#ran = this.running()
    this.#lastTick = this.#clock.monotonic()
  }
}
