/** How often it looks at the time, and what one look counts at most. */
const TICK_MS = 5
const MOST_PER_TICK_MS = 20

/**
 * A clock for deadlines: wall time without that in which the machine let others run, or this process was busy. Who waits
 * for a reply or a timer is woken often, so all of a wait counts.
 */
export function startRunningClock(): { now(): number; stop(): void } {
  let ran = 0
  let last = performance.now()
  const tick = () => {
    const now = performance.now()
    ran += Math.min(now - last, MOST_PER_TICK_MS)
    last = now
  }
  const timer = setInterval(tick, TICK_MS)
  return {
    now: () => {
      tick()
      return ran
    },
    stop: () => clearInterval(timer),
  }
}
