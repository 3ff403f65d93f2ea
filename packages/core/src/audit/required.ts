import { isPromise } from '../async.js'
import { Deadlines } from './deadlines.js'
import type { AuditEvent } from './event.js'
import { FloodFold } from './flood.js'
import { completeEvent } from './normalise.js'
import { MAX_BURST, MAX_DEPTH, nameOf, Subscription } from './queue.js'
import type { AuditFilter, AuditSink } from './sink.js'
import { rankOf } from './waiting.js'

/** How a {@link RequiredSink} is bounded. */
export interface RequiredLimits {
  readonly maxQueue: number
  readonly deadlineMs: number
  /** Milliseconds since the epoch. */
  now(): number
}

/**
 * A sink without which nothing may be decided: the outcome of each write is awaited. A sink with `writeMany` gets what came
 * during its last write, any other one each event immediately.
 */
export class RequiredSink {
  /** Writes under way. */
  queued = 0
  readonly dropped = 0
  failed = 0
  readonly name: string
  readonly sink: AuditSink
  readonly filter: AuditFilter | undefined
  readonly limits: RequiredLimits
  readonly onFailure: () => void
  readonly #flood: FloodFold
  readonly #deadlines: Deadlines
  /** Writes under way of what was folded: nobody else waits for them. */
  readonly #counting = new Set<Promise<boolean>>()
  /** For a sink that takes many at once. What fails there is counted here, once for each event. */
  readonly #batches: Subscription | undefined
  /** Of the sink's own events: it emits while it is written to. */
  #depth = 0
  #burst = 0

  constructor(sink: AuditSink, filter: AuditFilter | undefined, limits: RequiredLimits, onFailure: () => void) {
    this.sink = sink
    this.filter = filter
    this.limits = limits
    this.onFailure = onFailure
    this.name = nameOf(sink)
    const { maxQueue, now } = limits
    this.#deadlines = new Deadlines(limits.deadlineMs)
    if (sink.writeMany !== undefined) {
      this.#batches = new Subscription(sink, undefined, { maxQueue, keepsWaiting: true, now, ...NO_REPORT })
    }
    this.#flood = new FloodFold((counted) => {
      const written = this.#writeNow(completeEvent(counted, now()))
      if (!isPromise(written)) return
      this.#counting.add(written)
      void written.finally(() => this.#counting.delete(written))
    })
  }

  get folded(): number {
    return this.#flood.folded + (this.#batches?.folded ?? 0)
  }

  /** Writes what was folded, and resolves when that, and what a sink takes at once, is written. */
  async drained(): Promise<void> {
    this.#flood.flush()
    await Promise.all([...this.#counting, this.#batches?.drained()])
  }

  /** True when the event was written. A filter that throws counts as a failed write. */
  write(event: AuditEvent): boolean | Promise<boolean> {
    try {
      if (this.filter !== undefined && !this.filter(event)) return true
      const batches = this.#batches
      if (batches !== undefined) return this.#settle((settle) => batches.push(event, settle))
      if (this.queued > 0 && this.#flood.takes(event)) return true
      return this.#writeNow(event)
    } catch {
      return this.#fail()
    }
  }

  #writeNow(event: AuditEvent): boolean | Promise<boolean> {
    try {
      // A sink that hangs must not be handed one event after another for ever. Refusals do not take the place of grants.
      const { maxQueue } = this.limits
      if (this.queued >= maxQueue && this.queued >= (rankOf(event) === 0 ? 2 * maxQueue : maxQueue)) return this.#fail()
      if (this.#depth > MAX_DEPTH) return this.#fail()
      // One that emits for each event leaves the event loop its turns.
      if (this.#burst >= MAX_BURST) return this.#settle((settle) => void setImmediate(() => this.#begin(event, settle)))
      const pending = this.#writeTo(event)
      return isPromise(pending) ? this.#settle((settle) => this.#await(pending, settle)) : true
    } catch {
      return this.#fail()
    }
  }

  #writeTo(event: AuditEvent): unknown {
    this.#depth += 1
    try {
      return this.sink.write(event)
    } finally {
      this.#depth -= 1
    }
  }

  #begin(event: AuditEvent, settle: (isWritten: boolean) => void): void {
    this.#burst = 0
    try {
      const pending = this.#writeTo(event)
      if (isPromise(pending)) this.#await(pending, settle)
      else settle(true)
    } catch {
      settle(false)
    }
  }

  #await(pending: PromiseLike<unknown>, settle: (isWritten: boolean) => void): void {
    this.#burst += 1
    Promise.resolve(pending).then(
      () => settle(true),
      () => settle(false),
    )
  }

  #settle(begin: (settle: (isWritten: boolean) => void) => void): Promise<boolean> {
    this.queued += 1
    return new Promise((resolve) => {
      const deadline = this.#deadlines.begin(() => resolve(this.#fail()))
      begin((isWritten) => {
        this.queued -= 1
        const isLate = deadline.isOver
        this.#deadlines.end(deadline)
        if (!isLate) resolve(isWritten || this.#fail())
      })
    })
  }

  #fail(): false {
    this.failed += 1
    this.onFailure()
    return false
  }
}

const NO_REPORT = { dropped: () => undefined, failed: () => undefined }
