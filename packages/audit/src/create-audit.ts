import { channel } from 'node:diagnostics_channel'
import type { AuditEvent, AuditEventInput } from './event.js'
import { completeEvent } from './normalise.js'
import { RequiredSink } from './required-sink.js'
import type { AuditFilter, AuditSink, AuditSinkFunction, SubscribeOptions } from './sink.js'
import { SinkReporter } from './sink-reporter.js'
import { Subscription } from './subscription.js'

/** The `node:diagnostics_channel` on which every event of every emitter is published. */
export const AUDIT_CHANNEL = 'countersign:audit'

export interface AuditOptions {
  /** Sinks subscribed from the start. */
  readonly sinks?: readonly (AuditSink | AuditSinkFunction)[]
  /** Milliseconds since the epoch. Default `Date.now`. */
  readonly now?: () => number
}

export interface AuditStats {
  readonly sinks: readonly { name: string; required: boolean; queued: number; dropped: number; failed: number }[]
}

export interface Audit {
  /** False when nobody listens; then an event need not even be made. */
  readonly active: boolean
  /**
   * Tells every sink. Returns false (or a promise of it) when a `required` sink did not take the event; the other
   * sinks are then told what `instead` makes, or the event itself when there is none. Never throws, never rejects.
   */
  emit(event: AuditEventInput, instead?: () => AuditEventInput): boolean | Promise<boolean>
  /** Adds a sink, returns the function that removes it. The second argument is a filter or {@link SubscribeOptions}. */
  subscribe(sink: AuditSink | AuditSinkFunction, options?: AuditFilter | SubscribeOptions): () => void
  /** Resolves true when every event so far is written, false when `timeoutMs` (default 5000) passed first. */
  flush(timeoutMs?: number): Promise<boolean>
  /** Flushes, closes every sink and takes no more events. */
  close(timeoutMs?: number): Promise<void>
  stats(): AuditStats
}

/** Makes an emitter of its own. Most apps use the process-wide {@link audit}. */
export function createAudit(options: AuditOptions = {}): Audit {
  const now = options.now ?? Date.now
  const subscriptions = new Set<Subscription>()
  const required = new Set<RequiredSink>()
  const diagnostics = channel(AUDIT_CHANNEL)
  const reporter = new SinkReporter((event, about) => deliver(completeEvent(event, now()), about))
  let closed = false

  function deliver(event: AuditEvent, except?: object): void {
    if (diagnostics.hasSubscribers) diagnostics.publish(event)
    for (const subscription of subscriptions) if (subscription.sink !== except) subscription.push(event)
  }

  function writeRequired(event: AuditEvent): boolean | Promise<boolean> {
    const written = Array.from(required, (sink) => sink.write(event))
    if (written.every((result) => typeof result === 'boolean')) return written.every(Boolean)
    return Promise.all(written).then((results) => results.every(Boolean))
  }

  function emit(input: AuditEventInput, instead?: () => AuditEventInput): boolean | Promise<boolean> {
    if (closed) return required.size === 0
    const event = completeEvent(input, now())
    if (required.size === 0) {
      deliver(event)
      return true
    }
    const conclude = (written: boolean): boolean => {
      deliver(written || instead === undefined ? event : completeEvent(instead(), now()))
      return written
    }
    const written = writeRequired(event)
    return typeof written === 'boolean' ? conclude(written) : written.then(conclude)
  }

  function subscribe(given: AuditSink | AuditSinkFunction, given2: AuditFilter | SubscribeOptions = {}): () => void {
    const sink = typeof given === 'function' ? { name: given.name || 'anonymous', write: given } : given
    const { filter, ...rest } = typeof given2 === 'function' ? { filter: given2 } : given2
    const { required: isRequired = false, maxQueue = 1000, deadlineMs = 1000 } = rest as SubscribeOptions
    if (typeof sink?.write !== 'function')
      throw new TypeError('audit.subscribe: a sink is a function or has a `write` method')
    if (!Number.isSafeInteger(maxQueue) || maxQueue < 1)
      throw new RangeError('audit.subscribe: maxQueue must be a positive integer')
    if (isRequired) {
      const entry = new RequiredSink(sink, filter, deadlineMs, (count) => reporter.failed(entry, count))
      required.add(entry)
      return () => void required.delete(entry)
    }
    const entry = new Subscription(sink, filter, maxQueue, {
      dropped: (count) => reporter.dropped(entry, count),
      failed: (count) => reporter.failed(entry, count),
    })
    subscriptions.add(entry)
    return () => void subscriptions.delete(entry)
  }

  const sinks = () => [...subscriptions, ...required].map((entry) => entry.sink)

  async function flush(timeoutMs = 5000): Promise<boolean> {
    const all = Promise.all([
      ...Array.from(subscriptions, async (entry) => entry.drained()),
      ...sinks().map(async (sink) => sink.flush?.()),
    ])
    return settledWithin(all, timeoutMs)
  }

  async function close(timeoutMs = 5000): Promise<void> {
    if (closed) return
    await flush(timeoutMs)
    closed = true
    reporter.stop()
    await settledWithin(Promise.allSettled(sinks().map(async (sink) => sink.close?.())), timeoutMs)
    subscriptions.clear()
  }

  for (const sink of options.sinks ?? []) subscribe(sink)
  return {
    get active() {
      return subscriptions.size > 0 || required.size > 0 || diagnostics.hasSubscribers
    },
    emit,
    subscribe,
    flush,
    close,
    stats: () => ({
      sinks: [
        ...Array.from(subscriptions, ({ name, queued, dropped, failed }) => ({
          name,
          required: false,
          queued,
          dropped,
          failed,
        })),
        ...Array.from(required, ({ name, failed }) => ({ name, required: true, queued: 0, dropped: 0, failed })),
      ],
    }),
  }
}

/** True when `work` settled within `timeoutMs`; its rejection counts as settled. */
async function settledWithin(work: Promise<unknown>, timeoutMs: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(false), timeoutMs)
  })
  const done = work.then(
    () => true,
    () => true,
  )
  return Promise.race([done, late]).finally(() => clearTimeout(timer))
}

/** The process-wide emitter that every gate uses unless it is given another. */
export const audit: Audit = createAudit()
