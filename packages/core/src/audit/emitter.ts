import { channel } from 'node:diagnostics_channel'
import { debuglog } from 'node:util'
import { isPromise, within } from '../async.js'
import { resolveOptions } from '../options/resolve.js'
import { option } from '../options/rules.js'
import { singleton } from '../singleton.js'
import type { AuditEvent, AuditEventInput } from './event.js'
import { eventLine } from './event-line.js'
import { completeEvent } from './normalise.js'
import { Subscription } from './queue.js'
import { RequiredSink } from './required.js'
import type { AuditFilter, AuditSink, AuditSinkFunction, SubscribeOptions } from './sink.js'
import { SinkReporter } from './sink-reporter.js'

/** The `node:diagnostics_channel` on which every event of every emitter is published. */
export const AUDIT_CHANNEL = 'countersign:audit'

/** With `NODE_DEBUG=countersign`, every event of every emitter is a line on stderr. */
const debug = debuglog('countersign')
const isDebugging = debug.enabled

/** Options of {@link createAudit}. */
export interface AuditOptions {
  /** Sinks subscribed from the start. */
  readonly sinks?: readonly (AuditSink | AuditSinkFunction)[] | undefined
  /** Milliseconds since the epoch. Default `Date.now`. */
  readonly now?: (() => number) | undefined
}

/** The counts of every sink. */
export interface AuditStats {
  /** One entry per sink, in the order of `subscribe`; `folded` are the events that other ones count. */
  readonly sinks: readonly {
    name: string
    required: boolean
    queued: number
    dropped: number
    folded: number
    failed: number
  }[]
}

/** An emitter: gates report decisions to it, and it passes them to sinks. Contract `/1` between copies of the package. */
export interface Audit {
  /** False when there is no listener; then an event need not even be made. True when it is closed. */
  readonly active: boolean
  /**
   * Passes the event to every sink. Returns false (or a promise of it) when a `required` sink did not take the event; the other
   * sinks then get what `instead` makes, or the event itself when there is none. Never throws, never rejects.
   */
  emit(event: AuditEventInput, instead?: () => AuditEventInput): boolean | Promise<boolean>
  /**
   * Adds a sink, returns the function that removes it. The second argument is a filter or {@link SubscribeOptions}.
   *
   * @throws {OptionError} for what is not a sink, an unknown option or a bad value.
   */
  subscribe(sink: AuditSink | AuditSinkFunction, options?: AuditFilter | SubscribeOptions): () => void
  /**
   * Resolves true when every event so far is written and every sink has flushed it; false when `timeoutMs` (default
   * 5000) passed first or a sink's own `flush` failed.
   */
  flush(timeoutMs?: number): Promise<boolean>
  /**
   * Reports what was lost so far, flushes, closes every sink and takes no more events; within `timeoutMs` in all. Gates
   * grant nothing afterwards: close the server first, as {@link shutdown} does.
   */
  close(timeoutMs?: number): Promise<void>
  /** What each sink has queued, dropped, folded and failed so far. */
  stats(): AuditStats
}

/** Not a part of the contract `/1`: only {@link resetAudit} calls it, where the emitter has it. */
const RESET = Symbol.for('countersign.audit.reset')

const SINK = option
  .custom<AuditSink>('a function or an object with a `write` method', (value) => {
    if (typeof value === 'function') return { name: value.name || 'anonymous', write: value as AuditSinkFunction }
    return typeof (value as AuditSink | null)?.write === 'function' ? (value as AuditSink) : undefined
  })
  .required()

const SUBSCRIBE_RULES = {
  filter: option.syncFunc<AuditFilter>(),
  required: option.boolean().default(false),
  maxQueue: option.integer(1, 10_000_000),
  deadlineMs: option.integer(1, 600_000).default(1000),
}

/** What may wait for a sink that takes one event at a time, and for one that takes all at once. */
const QUEUE = { one: 1000, many: 100_000 }

const AUDIT_RULES = {
  sinks: option
    .custom<NonNullable<AuditOptions['sinks']>>('a list of sinks', (value) =>
      Array.isArray(value) ? value : undefined,
    )
    .default([]),
  now: option.syncFunc<() => number>().default(Date.now),
}

/**
 * Makes an emitter of its own. Most apps use the process-wide {@link audit}.
 *
 * @throws {OptionError}
 */
export function createAudit(options: AuditOptions = {}): Audit {
  const { sinks: given, now } = resolveOptions('createAudit', options, AUDIT_RULES)
  const subscriptions = new Set<Subscription>()
  const required = new Set<RequiredSink>()
  const undecided = new Set<Promise<boolean>>()
  const diagnostics = channel(AUDIT_CHANNEL)
  const reporter = new SinkReporter((event, about) => deliver(completeEvent(event, now()), about))
  let closing: Promise<void> | undefined
  let isClosed = false
  let resets = 0

  function deliver(event: AuditEvent, except?: object): void {
    if (isDebugging) debug('%s', eventLine(event))
    if (diagnostics.hasSubscribers) diagnostics.publish(event)
    for (const subscription of subscriptions) if (subscription.sink !== except) subscription.push(event)
  }

  function isActive(): boolean {
    return isClosed || subscriptions.size > 0 || required.size > 0 || diagnostics.hasSubscribers || isDebugging
  }

  function emit(input: AuditEventInput, instead?: () => AuditEventInput): boolean | Promise<boolean> {
    // No audit, no service: after the last event was written nothing may be granted.
    if (isClosed) return false
    if (!isActive()) return true
    const event = completeEvent(input, now())
    if (required.size > 0) return emitRequired(event, instead)
    deliver(event)
    return true
  }

  function emitRequired(event: AuditEvent, instead?: () => AuditEventInput): boolean | Promise<boolean> {
    const deliverAfter = (written: boolean): boolean => {
      deliver(written || instead === undefined ? event : completeEvent(instead(), now()))
      return written
    }
    const written = writeAll(required, event)
    if (!isPromise(written)) return deliverAfter(written)
    const decided: Promise<boolean> = written.then((isWritten) => {
      undecided.delete(decided)
      return deliverAfter(isWritten)
    })
    undecided.add(decided)
    return decided
  }

  function subscribe(sink: AuditSink | AuditSinkFunction, options: AuditFilter | SubscribeOptions = {}): () => void {
    const taken = resolveOptions('audit.subscribe', { sink }, { sink: SINK }).sink
    const settings = typeof options === 'function' ? { filter: options } : options
    const resolved = resolveOptions('audit.subscribe', settings, SUBSCRIBE_RULES)
    const { filter, deadlineMs } = resolved
    const maxQueue = resolved.maxQueue ?? (taken.writeMany === undefined ? QUEUE.one : QUEUE.many)
    if (resolved.required) {
      const entry = new RequiredSink(taken, filter, { maxQueue, deadlineMs, now }, () => reporter.failed(entry))
      required.add(entry)
      return () => void required.delete(entry)
    }
    const entry = new Subscription(taken, filter, {
      maxQueue,
      now,
      dropped: () => reporter.dropped(entry),
      failed: (count) => reporter.failed(entry, count),
    })
    subscriptions.add(entry)
    return () => void subscriptions.delete(entry)
  }

  async function flushAll(): Promise<boolean> {
    if (undecided.size > 0) await Promise.all(undecided)
    const flushed = await Promise.allSettled([
      ...Array.from(subscriptions, async (entry) => entry.drained().then(() => entry.sink.flush?.())),
      ...Array.from(required, async (entry) => entry.drained().then(() => entry.sink.flush?.())),
    ])
    return flushed.every(({ status }) => status === 'fulfilled')
  }

  async function close(timeoutMs = 5000): Promise<void> {
    const untilMs = performance.now() + timeoutMs
    const life = resets
    reporter.stop()
    const flushed = await within(flushAll(), timeoutMs)
    if (life !== resets) return
    // What failed in the end is told as well: no later minute comes.
    reporter.stop()
    isClosed = true
    const entries = [...subscriptions, ...required]
    // What was granted meanwhile is written, too, when there is time left.
    if (flushed !== undefined) await within(flushAll(), untilMs - performance.now())
    const closed = entries.map(async ({ sink }) => sink.close?.())
    await within(Promise.allSettled(closed), untilMs - performance.now())
    if (life === resets) subscriptions.clear()
  }

  function reset(): void {
    subscriptions.clear()
    required.clear()
    undecided.clear()
    closing = undefined
    isClosed = false
    resets += 1
  }

  for (const sink of given) subscribe(sink)
  const emitter: Audit = {
    get active() {
      return isActive()
    },
    emit,
    subscribe,
    flush: async (timeoutMs = 5000) => (await within(flushAll(), timeoutMs)) === true,
    close(timeoutMs) {
      closing ??= close(timeoutMs)
      return closing
    },
    stats: () => ({
      sinks: [...subscriptions, ...required].map((entry) => ({
        name: entry.name,
        required: entry instanceof RequiredSink,
        queued: entry.queued,
        dropped: entry.dropped,
        folded: entry.folded,
        failed: entry.failed,
      })),
    }),
  }
  Object.defineProperty(emitter, RESET, { value: reset })
  return emitter
}

function writeAll(sinks: ReadonlySet<RequiredSink>, event: AuditEvent): boolean | Promise<boolean> {
  if (sinks.size === 1) for (const sink of sinks) return sink.write(event)
  const written = Array.from(sinks, (sink) => sink.write(event))
  if (written.every((result) => typeof result === 'boolean')) return written.every(Boolean)
  return Promise.all(written).then((results) => results.every(Boolean))
}

/**
 * The process-wide emitter that every gate uses unless it is given another. One per process, also where two copies of the
 * packages are installed.
 */
export const audit: Audit = singleton('audit', createAudit)

/**
 * Makes the process-wide emitter as new, between tests: without sinks, and open again. What waits for a sink is not waited
 * for; flush before, where that matters.
 */
export function resetAudit(): void {
  const reset = (audit as { readonly [RESET]?: () => void })[RESET]
  if (reset === undefined) throw new Error('resetAudit: an older copy of @countersign/core made the emitter')
  reset()
}
