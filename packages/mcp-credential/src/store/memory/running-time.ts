import type { Clock } from '@countersign/core'
import type { Moment } from './entry.js'

/** How often the clock is read. */
export const TICK_MS = 15_000
/** What one tick adds at most: the sleep of a computer, or of a stopped process, is not idleness. */
const MOST_PER_TICK_MS = 2 * TICK_MS

/**
 * The times of the memory store. `now` is the wall clock at the start plus what the monotonic clock measured since, so a
 * correction of the wall clock moves nothing; it stands still while the computer is suspended. `running` leaves out all time
 * in which the process did not run. `wall` is what callers are told, and what is stored.
 */
export class RunningTime {
  readonly #clock: Clock
  #offset: number
  #lastTick: number
  #ran = 0

  constructor(clock: Clock) {
    this.#clock = clock
    this.#lastTick = clock.monotonic()
    this.#offset = clock.now() - this.#lastTick
  }

  /** All three, of one moment. */
  moment(): Moment {
    const monotonic = this.#clock.monotonic()
    return {
      now: Math.floor(this.#offset + monotonic),
      running: this.#runningAt(monotonic),
      wall: Math.floor(this.#clock.now()),
    }
  }

  /** Milliseconds of running time since the start. */
  #runningAt(monotonic: number): number {
    return this.#ran + Math.min(monotonic - this.#lastTick, MOST_PER_TICK_MS)
  }

  /** Continues from a moment of a process before: the wall clock says how long ago that was, and none of it was running. */
  resume({ now, running, wall }: Moment): void {
    this.#lastTick = this.#clock.monotonic()
    this.#offset = now + Math.max(0, this.#clock.now() - wall) - this.#lastTick
    this.#ran = running
  }

  tick(): void {
    const monotonic = this.#clock.monotonic()
    this.#ran = this.#runningAt(monotonic)
    this.#lastTick = monotonic
  }
}
