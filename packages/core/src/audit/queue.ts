import { isPromise } from '../async.js'
import type { AuditEvent } from './event.js'
import { FloodFold } from './flood.js'
import { completeEvent } from './normalise.js'
import type { AuditFilter, AuditSink } from './sink.js'
import { rankOf, Waiting, type WaitingEvent } from './waiting.js'

/** Where a {@link Subscription} reports what it lost, and how it is bounded. */
export interface SubscriptionSetup {
  readonly maxQueue: number
  /** What is new does not take the place of what waits and is as important. */
  readonly keepsWaiting?: boolean
  /** Milliseconds since the epoch. */
  now(): number
  dropped(): void
  failed(count: number): void
}

/** No batch may hold the event loop for long; a backlog must end although more comes in each of its turns. */
const MAX_BATCH = 10_000
/** What a sink emits while it is written to, it is told; what it emits when told that, too; and so on, so many times. */
export const MAX_DEPTH = 4
/** Writes after which the event loop has its turn: a sink that emits for each event never has an empty queue. */
export const MAX_BURST = 256

/**
 * One sink behind a bounded queue. At most one write is under way, of one event or, for a sink with `writeMany`, of all
 * that wait; a sink that throws, rejects or hangs harms nothing but itself.
 */
export class Subscription {
  readonly #waiting = new Waiting()
  readonly #flood: FloodFold
  #isWriting = false
  #seq = 0
  /** The oldest event of the write that is under way. */
  #underWay = Number.POSITIVE_INFINITY
  /** Of the event that the sink is told in this very moment. */
  #depth: number | undefined
  #burst = 0
  #waiters: { readonly until: number; readonly resolve: () => void }[] = []
  dropped = 0
  failed = 0
  readonly name: string

  readonly sink: AuditSink
  readonly filter: AuditFilter | undefined
  readonly setup: SubscriptionSetup

  constructor(sink: AuditSink, filter: AuditFilter | undefined, setup: SubscriptionSetup) {
    this.sink = sink
    this.filter = filter
    this.setup = setup
    this.name = nameOf(sink)
    this.#flood = new FloodFold((counted) => {
      this.#seq += 1
      this.#enqueue(completeEvent(counted, setup.now()), undefined, 0)
      this.#pump()
    })
  }

  get folded(): number {
    return this.#flood.folded
  }

  get queued(): number {
    return this.#waiting.size
  }

  #accepts(event: AuditEvent): boolean {
    if (this.filter === undefined) return true
    try {
      return Boolean(this.filter(event))
    } catch {
      this.#fail(1)
      return false
    }
  }

  /** `settle` is told whether the event was written, in an event that counts it where it is one of a flood. */
  push(event: AuditEvent, settle?: (isWritten: boolean) => void): void {
    if (!this.#accepts(event)) return
    const depth = this.#depth === undefined ? 0 : this.#depth + 1
    if (depth > MAX_DEPTH) return this.#drop({ settle })
    this.#seq += 1
    // With nothing before it, it need not be queued; what the sink itself emits meanwhile is.
    const isFirst = !this.#isWriting && this.queued === 0 && this.sink.writeMany === undefined
    if (isFirst) this.#writeOne(event)
    else if (this.#flood.takes(event)) return settle?.(true)
    else this.#enqueue(event, settle, depth)
    this.#pump()
  }

  #enqueue(event: AuditEvent, settle: WaitingEvent['settle'], depth: number): void {
    const rank = rankOf(event)
    if (this.queued >= this.setup.maxQueue) {
      const lost = this.#waiting.evict(rank, this.setup.keepsWaiting === true)
      if (lost === undefined) return this.#drop({ settle })
      this.#drop(lost)
    }
    this.#waiting.add({ event, seq: this.#seq, settle, depth }, rank)
  }

  #drop(lost: Pick<WaitingEvent, 'settle'> | undefined): void {
    this.dropped += 1
    this.setup.dropped()
    lost?.settle?.(false)
    this.#tellWaiters()
  }

  #writeOne(event: AuditEvent): void {
    this.#isWriting = true
    this.#underWay = this.#seq
    this.#depth = 0
    try {
      const pending = this.sink.write(event)
      this.#depth = undefined
      if (isPromise(pending)) return this.#await(pending, NONE)
    } catch {
      this.#fail(1)
    }
    this.#depth = undefined
    this.#isWriting = false
    this.#underWay = Number.POSITIVE_INFINITY
    if (this.#waiters.length > 0) this.#tellWaiters()
  }

  #pump(): void {
    while (!this.#isWriting && this.queued > 0) {
      this.#burst += 1
      if (this.#burst === MAX_BURST) setImmediate(this.#goOn)
      if (this.#burst >= MAX_BURST) return
      // Who waits for all so far would wait for ever behind grants that keep coming.
      const order = this.#waiters.length > 0 ? 'oldest first' : 'by rank'
      const batch = this.#waiting.take(this.sink.writeMany === undefined ? 1 : MAX_BATCH, order)
      this.#write(batch)
    }
  }

  readonly #goOn = (): void => {
    this.#burst = 0
    this.#pump()
  }

  #write(batch: readonly WaitingEvent[]): void {
    this.#isWriting = true
    this.#underWay = batch[0]?.seq ?? Number.POSITIVE_INFINITY
    this.#depth = Math.max(...batch.map(({ depth }) => depth))
    try {
      const pending = writeTo(this.sink, batch)
      this.#depth = undefined
      if (isPromise(pending)) return this.#await(pending, batch)
      this.#finish(batch, true)
    } catch {
      this.#finish(batch, false)
    }
  }

  #await(pending: PromiseLike<unknown>, batch: readonly WaitingEvent[]): void {
    const end = (isWritten: boolean) => {
      this.#finish(batch, isWritten)
      this.#pump()
    }
    Promise.resolve(pending).then(
      () => end(true),
      () => end(false),
    )
  }

  #finish(batch: readonly WaitingEvent[], isWritten: boolean): void {
    this.#isWriting = false
    this.#depth = undefined
    this.#underWay = Number.POSITIVE_INFINITY
    if (!isWritten) this.#fail(Math.max(1, batch.length))
    for (const { settle } of batch) settle?.(isWritten)
    this.#tellWaiters()
  }

  #tellWaiters(): void {
    const oldest = Math.min(this.#underWay, this.#waiting.oldest)
    while (this.#waiters[0] !== undefined && this.#waiters[0].until < oldest) this.#waiters.shift()?.resolve()
  }

  #fail(count: number): void {
    this.failed += count
    this.setup.failed(count)
  }

  /** Resolves when every event taken so far is written, failed or dropped, however many follow. */
  async drained(): Promise<void> {
    this.#flood.flush()
    const until = this.#seq
    if (Math.min(this.#underWay, this.#waiting.oldest) > until) return
    await new Promise<void>((resolve) => this.#waiters.push({ until, resolve }))
  }
}

/** Of a write that was begun without the queue. */
const NONE: readonly WaitingEvent[] = []

function writeTo(sink: AuditSink, batch: readonly WaitingEvent[]): void | PromiseLike<void> {
  if (sink.writeMany !== undefined) return sink.writeMany(batch.map(({ event }) => event))
  const [only] = batch
  return only === undefined ? undefined : sink.write(only.event)
}

/** A sink's name. Read once, at `subscribe`: what throws there is a mistake of the caller. */
export function nameOf({ name }: AuditSink): string {
  return name ?? 'anonymous'
}
