import { warn } from '../homepage.js'
import type { AuditEventInput } from './event.js'

const INTERVAL_MS = 60_000

interface Reported {
  readonly name: string
  readonly sink: object
}

interface Tally {
  dropped: number
  failed: number
}

/** Reports to the other sinks, once a minute at most, what one sink lost. */
export class SinkReporter {
  readonly #tallies = new Map<Reported, Tally>()
  #lastReportMs = Number.NEGATIVE_INFINITY
  #timer: NodeJS.Timeout | undefined
  readonly emit: (event: AuditEventInput, about: object | undefined) => void

  /** `emit` gets the report and the sink that it must not go to: a sink that fails on reports of itself never ends. */
  constructor(emit: (event: AuditEventInput, about: object | undefined) => void) {
    this.emit = emit
  }

  /** Lost events are reported to the sink that lost them, too: its own log must say that it has a gap. */
  dropped(entry: Reported): void {
    this.#tally(entry).dropped += 1
    this.#schedule()
  }

  failed(entry: Reported, count = 1): void {
    this.#tally(entry).failed += count
    this.#schedule()
  }

  /** Reports what is left to report, now. */
  stop(): void {
    clearTimeout(this.#timer)
    this.#report()
  }

  #tally(entry: Reported): Tally {
    let tally = this.#tallies.get(entry)
    if (tally === undefined) {
      tally = { dropped: 0, failed: 0 }
      this.#tallies.set(entry, tally)
    }
    return tally
  }

  #schedule(): void {
    if (this.#timer !== undefined) return
    const waitMs = Math.max(0, this.#lastReportMs + INTERVAL_MS - performance.now())
    this.#timer = setTimeout(() => this.#report(), waitMs).unref()
  }

  #report(): void {
    this.#timer = undefined
    this.#lastReportMs = performance.now()
    const tallies = [...this.#tallies]
    this.#tallies.clear()
    for (const [{ name, sink }, { dropped, failed }] of tallies) {
      if (dropped > 0) this.emit({ type: 'audit.events.dropped', attributes: { sink: name, dropped } }, undefined)
      if (failed > 0) {
        this.emit({ type: 'audit.sink.failed', attributes: { sink: name, failures: failed } }, sink)
        warn(
          'COUNTERSIGN_AUDIT_SINK_FAILED',
          `The audit sink "${name}" failed ${failed} time(s)`,
          'Events may be missing from it. audit.stats() has the counts of every sink.',
        )
      }
    }
  }
}
