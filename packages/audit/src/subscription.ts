import type { AuditEvent } from './event.js'
import type { AuditFilter, AuditSink } from './sink.js'

export interface SubscriptionReport {
  dropped(count: number): void
  failed(count: number): void
}

/**
 * One sink behind a bounded queue. At most one `write` is under way; a sink that throws, rejects or hangs harms
 * nothing but itself.
 */
export class Subscription {
  readonly #queue: AuditEvent[] = []
  #head = 0
  #writing = false
  #waiters: (() => void)[] = []
  dropped = 0
  failed = 0

  constructor(
    readonly sink: AuditSink,
    readonly filter: AuditFilter | undefined,
    readonly maxQueue: number,
    readonly report: SubscriptionReport,
  ) {}

  get name(): string {
    return this.sink.name ?? 'anonymous'
  }

  get queued(): number {
    return this.#queue.length - this.#head
  }

  accepts(event: AuditEvent): boolean {
    if (this.filter === undefined) return true
    try {
      return this.filter(event) === true
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
      this.report.dropped(1)
    }
    this.#queue.push(event)
    this.#pump()
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
      if (event === undefined) return this.#wake()
      this.#writing = true
      const pending = this.#write(event)
      if (!isPromise(pending)) this.#writing = false
      else Promise.resolve(pending).then(this.#settled, this.#rejected)
    }
  }

  #write(event: AuditEvent): void | PromiseLike<void> {
    try {
      return this.sink.write(event)
    } catch {
      this.#fail()
    }
  }

  readonly #settled = (): void => {
    this.#writing = false
    this.#pump()
  }

  readonly #rejected = (): void => {
    this.#fail()
    this.#settled()
  }

  #wake(): void {
    const waiters = this.#waiters
    this.#waiters = []
    for (const resolve of waiters) resolve()
  }

  #fail(): void {
    this.failed += 1
    this.report.failed(1)
  }

  /** Resolves when nothing is queued or under way. */
  async drained(): Promise<void> {
    if (this.#writing || this.queued > 0) await new Promise<void>((resolve) => this.#waiters.push(resolve))
  }
}

export function isPromise(value: unknown): value is PromiseLike<unknown> {
  return typeof (value as PromiseLike<unknown> | undefined)?.then === 'function'
}
