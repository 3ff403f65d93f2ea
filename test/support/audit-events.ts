import type { AuditEvent, AuditSink } from '@countersign/core'
import type { AuditEventInput } from '@countersign/core/gate-kit'

/** An event of a decision, with what a test changes about it. */
export const decision = (changes: Partial<AuditEventInput> = {}): AuditEventInput => ({
  type: 'access.denied',
  gate: 'hmac',
  reason: 'bad_signature',
  principal: { kind: 'hmac', id: 'unknown' },
  http: { method: 'POST', route: '/internal', status: 401, clientAddress: '127.0.0.1' },
  ...changes,
})

export interface HeldSink extends AuditSink {
  readonly got: AuditEvent[]
  /** Writes that wait. */
  readonly waiting: () => number
  /** Lets the oldest waiting write succeed, or fail. */
  release(error?: Error): void
}

/** A sink whose every write waits until the test lets it go. */
export function heldSink(name = 'held'): HeldSink {
  const got: AuditEvent[] = []
  const waiting: { resolve: () => void; reject: (error: Error) => void }[] = []
  return {
    name,
    got,
    waiting: () => waiting.length,
    write: (event) => {
      got.push(event)
      return new Promise<void>((resolve, reject) => waiting.push({ resolve, reject }))
    },
    release: (error) => {
      const next = waiting.shift()
      if (error === undefined) next?.resolve()
      else next?.reject(error)
    },
  }
}

export interface HeldBatches extends Omit<HeldSink, 'got'> {
  /** What was handed over at once, time after time. */
  readonly got: (readonly AuditEvent[])[]
}

/** The same for a sink that takes many events at once. */
export function heldBatches(name = 'held batches'): HeldBatches {
  const got: (readonly AuditEvent[])[] = []
  const { waiting, release, write } = heldSink()
  const writeMany = (events: readonly AuditEvent[]) => {
    got.push(events)
    return write(events[0] as AuditEvent)
  }
  return { name, got, waiting, release, writeMany, write: () => Promise.reject(new Error('writeMany is there')) }
}

/** Lets every microtask and immediate that is due run. */
export const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))
