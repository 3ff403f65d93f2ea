import type { AuditEvent } from './event.js'
import type { AuditFilter, AuditSink } from './sink.js'
import { isPromise } from './subscription.js'

/** A sink without which nothing may be decided: each event is written at once and the outcome is waited for. */
export class RequiredSink {
  failed = 0

  constructor(
    readonly sink: AuditSink,
    readonly filter: AuditFilter | undefined,
    readonly deadlineMs: number,
    readonly onFailure: (count: number) => void,
  ) {}

  get name(): string {
    return this.sink.name ?? 'anonymous'
  }

  /** True when the event was written. A filter that throws counts as a failed write. */
  write(event: AuditEvent): boolean | Promise<boolean> {
    try {
      if (this.filter !== undefined && this.filter(event) !== true) return true
      const pending = this.sink.write(event)
      return isPromise(pending) ? this.#settle(pending) : true
    } catch {
      return this.#fail()
    }
  }

  #settle(pending: PromiseLike<unknown>): Promise<boolean> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => resolve(this.#fail()), this.deadlineMs)
      Promise.resolve(pending).then(
        () => {
          clearTimeout(timer)
          resolve(true)
        },
        () => {
          clearTimeout(timer)
          resolve(this.#fail())
        },
      )
    })
  }

  #fail(): false {
    this.failed += 1
    this.onFailure(1)
    return false
  }
}
