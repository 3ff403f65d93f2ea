import { isPromise } from '../async.js'
import type { AuditEvent } from './event.js'
import { nameOf } from './queue.js'
import type { AuditFilter, AuditSink } from './sink.js'

/** A sink without which nothing may be decided: each event is written immediately, and the outcome is awaited. */
export class RequiredSink {
  /** Writes under way. */
  queued = 0
  readonly dropped = 0
  failed = 0
  readonly name: string
  readonly sink: AuditSink
  readonly filter: AuditFilter | undefined
  readonly limits: { readonly maxQueue: number; readonly deadlineMs: number }
  readonly onFailure: () => void

  constructor(
    sink: AuditSink,
    filter: AuditFilter | undefined,
    limits: { readonly maxQueue: number; readonly deadlineMs: number },
    onFailure: () => void,
  ) {
    this.sink = sink
    this.filter = filter
    this.limits = limits
    this.onFailure = onFailure
    this.name = nameOf(sink)
  }

  /** True when the event was written. A filter that throws counts as a failed write. */
  write(event: AuditEvent): boolean | Promise<boolean> {
    try {
      if (this.filter !== undefined && !this.filter(event)) return true
      // A sink that hangs must not be handed one event after another for ever.
      if (this.queued >= this.limits.maxQueue) return this.#fail()
      const pending = this.sink.write(event)
      return isPromise(pending) ? this.#settle(pending) : true
    } catch {
      return this.#fail()
    }
  }

  #settle(pending: PromiseLike<unknown>): Promise<boolean> {
    this.queued += 1
    return new Promise((resolve) => {
      let isLate = false
      const timer = setTimeout(() => {
        isLate = true
        resolve(this.#fail())
      }, this.limits.deadlineMs)
      const finish = (isWritten: boolean) => {
        this.queued -= 1
        clearTimeout(timer)
        if (!isLate) resolve(isWritten || this.#fail())
      }
      Promise.resolve(pending).then(
        () => finish(true),
        () => finish(false),
      )
    })
  }

  #fail(): false {
    this.failed += 1
    this.onFailure()
    return false
  }
}
