import type { AuditEvent } from './event.js'

/**
 * Where events go. `write` may return a promise; the next event is written when it settles, and until then events wait
 * in a bounded queue. A sink with `writeMany` gets all that wait. A bare function is a sink too.
 */
export interface AuditSink {
  /** Shown in reports about this sink. */
  readonly name?: string | undefined
  /** Takes one event. A throw or a rejection is counted as a failure. */
  write(event: AuditEvent): void | PromiseLike<void>
  /**
   * Takes what has come since the last call, 10,000 events at most, in their order; `write` is not called then. A throw or
   * a rejection is counted as a failure of each of them.
   */
  writeMany?(events: readonly AuditEvent[]): void | PromiseLike<void>
  /** Settles when everything written so far is where it should be. */
  flush?(): void | PromiseLike<void>
  /** Called by `audit.close()`, after the last event. */
  close?(): void | PromiseLike<void>
}

/** A sink without name, flush and close. */
export type AuditSinkFunction = (event: AuditEvent) => void | PromiseLike<void>
/** Whether a sink wants an event. */
export type AuditFilter = (event: AuditEvent) => boolean

/** Options of `audit.subscribe`. */
export interface SubscribeOptions {
  /** Only events for which it returns true are written. One that throws counts as a failure of the sink. */
  readonly filter?: AuditFilter | undefined
  /**
   * No audit, no service: when this sink fails, gates deny with 503. Default false. Of two required sinks, one may have
   * written the grant that the other one's failure turned into a 503, and so may one that wrote later than `deadlineMs`;
   * every other sink gets the event of the 503 alone.
   */
  readonly required?: boolean | undefined
  /**
   * Events that may wait for an asynchronous sink. Default 1000, and 100,000 for a sink with `writeMany`. Beyond it one is
   * dropped and counted: the oldest of the rest first, then of what is critical, then of grants and changes of state. For
   * a required sink: events that it may have under way, and as many grants more; beyond it the next fails immediately.
   */
  readonly maxQueue?: number | undefined
  /** Milliseconds that a required sink has for one event. Default 1000. */
  readonly deadlineMs?: number | undefined
}
