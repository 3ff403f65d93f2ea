import { isPromise } from '../async.js'
import type { AuditEvent } from './event.js'
import type { AuditFilter, AuditSink } from './sink.js'

/** Where a {@link Subscription} reports what it lost. */
export interface SubscriptionReport {
  dropped(): void
  failed(): void
}

/**
 * One sink behind a bounded queue. At most one `write` is under way; a sink that throws, rejects or hangs harms
 * nothing but itself.
 */
export class Subscription {
  readonly #queue: AuditEvent[] = []
  #head = 0
  #writing = false
  /** Events taken so far, and those of them that are written, failed or dropped. */
  #taken = 0
  #done = 0
  #waiters: { readonly until: number; readonly resolve: () => void }[] = []
  dropped = 0
  failed = 0
  readonly name: string

  readonly sink: AuditSink
  readonly filter: AuditFilter | undefined
  readonly maxQueue: number
  readonly report: SubscriptionReport

  constructor(sink: AuditSink, filter: AuditFilter | undefined, maxQueue: number, report: SubscriptionReport) {
    this.sink = sink
    this.filter = filter
    this.maxQueue = maxQueue
    this.report = report
    this.name = nameOf(sink)
  }

  get queued(): number {
    return this.#queue.length - this.#head
  }

  accepts(event: AuditEvent): boolean {
    if (this.filter === undefined) return true
    try {
      return Boolean(this.filter(event))
    } catch {
      this.#fail()
      return false
    }
  }

  push(event: AuditEvent): void {
    if (!this.accepts(event)) return
    if (this.queued >= this.maxQueue) {
      this.#shift()
      this.dropped += 1
      this.report.dropped()
      this.#finish()
    }
    this.#taken += 1
    // With nothing before it, it need not be queued; what the sink itself emits meanwhile is.
    if (!this.#writing && this.queued === 0) this.#begin(event)
    else this.#queue.push(event)
    this.#pump()
  }

  #begin(event: AuditEvent): void {
    this.#writing = true
    const pending = this.#write(event)
    if (pending !== undefined) pending.then(this.#settled, this.#rejected)
    else {
      this.#writing = false
      this.#finish()
    }
  }

  #shift(): AuditEvent | undefined {
    const event = this.#queue[this.#head]
    if (event === undefined) return undefined
    this.#head += 1
    // Compacting in halves keeps a shift O(1) on average and lets the written go.
    if (this.#head === this.#queue.length || (this.#head > 512 && this.#head * 2 > this.#queue.length)) {
      this.#queue.splice(0, this.#head)
      this.#head = 0
    }
    return event
  }

  #pump(): void {
    while (!this.#writing) {
      const event = this.#shift()
      if (event === undefined) return
      this.#begin(event)
    }
  }

  #write(event: AuditEvent): Promise<unknown> | undefined {
    try {
      const pending = this.sink.write(event)
      if (isPromise(pending)) return Promise.resolve(pending)
    } catch {
      this.#fail()
    }
    return undefined
  }

  readonly #settled = (): void => {
    this.#writing = false
    this.#finish()
    this.#pump()
  }

  readonly #rejected = (): void => {
    this.#fail()
    this.#settled()
  }

  #finish(): void {
    this.#done += 1
    while (this.#waiters[0] !== undefined && this.#waiters[0].until <= this.#done) this.#waiters.shift()?.resolve()
  }

  #fail(): void {
    this.failed += 1
    this.report.failed()
  }

  /** Resolves when every event taken so far is written, failed or dropped, however many follow. */
  async drained(): Promise<void> {
    const until = this.#taken
    if (this.#done < until) await new Promise<void>((resolve) => this.#waiters.push({ until, resolve }))
  }
}

/** A sink's name. Read once, at `subscribe`: what throws there is a mistake of the caller. */
export function nameOf({ name }: AuditSink): string {
  return name ?? 'anonymous'
}
