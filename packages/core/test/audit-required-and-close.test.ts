import { type AuditEvent, createAudit } from '@countersign/core'
import { describe, expect, jest, test } from '@jest/globals'
import { decision, heldSink, settled } from '../../../test/support/audit-events.js'

const collect = () => {
  const got: AuditEvent[] = []
  return { got, write: (event: AuditEvent) => void got.push(event) }
}
const reasons = (events: readonly AuditEvent[]) => events.map(({ reason }) => reason)

describe('required sinks', () => {
  test('[audit-required] say whether the event was written, immediately when they are synchronous', () => {
    const audit = createAudit()
    const stop = audit.subscribe(() => undefined, { required: true })
    expect(audit.emit(decision())).toBe(true)
    audit.subscribe(
      () => {
        throw new Error('full')
      },
      { required: true },
    )
    expect(audit.emit(decision())).toBe(false)
    stop()
    expect(audit.emit(decision())).toBe(false)
  })

  test('[audit-required] that fail have what was done instead reported to the others, once', async () => {
    for (const write of [() => Promise.reject(new Error('full')), async () => undefined]) {
      const audit = createAudit()
      const { got, write: take } = collect()
      audit.subscribe(take, ({ gate }) => gate === 'hmac')
      audit.subscribe(write, { required: true })
      const isWritten = await audit.emit(decision({ reason: 'asked' }), () => decision({ reason: 'instead' }))
      expect(reasons(got)).toEqual([isWritten ? 'asked' : 'instead'])
    }
  })

  test('[audit-required] that hang fail after their deadline, once, whatever comes later', async () => {
    const audit = createAudit()
    const sink = heldSink()
    audit.subscribe(sink, { required: true, deadlineMs: 20 })
    expect(await audit.emit(decision())).toBe(false)
    sink.release(new Error('late'))
    await settled()
    expect(audit.stats().sinks).toEqual([{ name: 'held', required: true, queued: 0, dropped: 0, folded: 0, failed: 1 }])
  })

  test('[audit-required] that hang are not handed one event after another for ever', async () => {
    const audit = createAudit()
    const sink = heldSink()
    audit.subscribe(sink, { required: true, deadlineMs: 10_000, maxQueue: 5 })
    const results = Array.from({ length: 8 }, () => audit.emit(decision()))
    expect(results.slice(5)).toEqual([false, false, false])
    expect(sink.got).toHaveLength(5)
    while (sink.waiting() > 0) sink.release()
    expect(await Promise.all(results)).toEqual([true, true, true, true, true, false, false, false])
  })

  test('[audit-required] do not ask for an event that their filter leaves out, and fail when it throws', () => {
    const audit = createAudit()
    const write = () => {
      throw new Error('full')
    }
    audit.subscribe(write, { required: true, filter: ({ type }) => type === 'access.granted' })
    expect(audit.emit(decision())).toBe(true)
    expect(audit.emit(decision({ type: 'access.granted' }))).toBe(false)
    audit.subscribe(() => undefined, {
      required: true,
      filter: () => {
        throw new Error('a bug')
      },
    })
    expect(audit.emit(decision())).toBe(false)
  })
})

describe('flush and close', () => {
  test('[audit-flush] waits until what was emitted is written, then flushes the sink itself', async () => {
    const audit = createAudit()
    const sink = heldSink()
    const order: string[] = []
    audit.subscribe({
      ...sink,
      flush: async () => {
        order.push(`flush after ${sink.got.length}`)
      },
    })
    audit.emit(decision())
    audit.emit(decision())
    const flushed = audit.flush().then((result) => order.push(`flushed: ${result}`))
    await settled()
    expect(order).toEqual([])
    sink.release()
    await settled()
    sink.release()
    await flushed
    expect(order).toEqual(['flush after 2', 'flushed: true'])
  })

  test('[audit-flush] does not wait for what comes after it', async () => {
    const audit = createAudit()
    const sink = heldSink()
    audit.subscribe(sink)
    audit.emit(decision())
    const flushed = audit.flush()
    audit.emit(decision())
    sink.release()
    expect(await flushed).toBe(true)
    expect(sink.waiting()).toBe(1)
  })

  test('[audit-flush] does not wait for grants that keep coming to a sink as fast as it writes', async () => {
    const audit = createAudit()
    const sink = heldSink()
    audit.subscribe(sink)
    audit.emit(decision({ type: 'access.granted' }))
    audit.emit(decision({ reason: 'refused' }))
    let isFlushed = false
    const flushed = audit.flush(600_000).then(() => {
      isFlushed = true
    })
    for (let count = 0; count < 10 && !isFlushed; count += 1) {
      audit.emit(decision({ type: 'access.granted' }))
      sink.release()
      await settled()
    }
    expect(isFlushed).toBe(true)
    expect(reasons(sink.got)).toContain('refused')
    await flushed
  })

  test('[audit-flush] does not wait for what was dropped', async () => {
    const audit = createAudit()
    const sink = heldSink()
    audit.subscribe(sink, { maxQueue: 1 })
    for (let count = 0; count < 5; count += 1) audit.emit(decision())
    const flushed = audit.flush()
    sink.release()
    await settled()
    sink.release()
    expect(await flushed).toBe(true)
  })

  test('[audit-flush] is false when a sink hangs, or when its own flush fails', async () => {
    const audit = createAudit()
    audit.subscribe(heldSink())
    audit.emit(decision())
    expect(await audit.flush(20)).toBe(false)
    const other = createAudit()
    other.subscribe({ write: () => undefined, flush: () => Promise.reject(new Error('full')) })
    expect(await other.flush()).toBe(false)
  })

  test('[audit-flush] waits for required sinks and for what is reported to the others after them', async () => {
    const audit = createAudit()
    const sink = heldSink()
    const { got, write } = collect()
    audit.subscribe(sink, { required: true })
    audit.subscribe(write)
    const emitted = audit.emit(decision())
    let isFlushed = false
    const flushed = audit.flush().then(() => {
      isFlushed = true
    })
    await settled()
    expect(isFlushed).toBe(false)
    sink.release()
    await Promise.all([emitted, flushed])
    expect(got).toHaveLength(1)
  })

  test('[audit-close] flushes, closes every sink once, and takes no more events', async () => {
    const audit = createAudit()
    const { got, write } = collect()
    let closed = 0
    const close = () => {
      closed += 1
    }
    audit.subscribe({ write, close })
    audit.subscribe({ write: () => undefined, close: () => Promise.reject(new Error('no')) })
    audit.emit(decision())
    await Promise.all([audit.close(), audit.close()])
    await audit.close()
    expect(audit.emit(decision())).toBe(false)
    expect([got.length, closed, audit.active]).toEqual([1, 1, true])
  })

  test('[audit-close] with a required sink leaves nothing that grants', async () => {
    const audit = createAudit()
    audit.subscribe(() => undefined, { required: true })
    await audit.close()
    expect(audit.emit(decision({ type: 'access.granted' }))).toBe(false)
    expect(audit.active).toBe(true)
  })

  test('[audit-close] reports what was lost before it closes', async () => {
    const audit = createAudit()
    const { got, write } = collect()
    audit.subscribe(write)
    const sink = heldSink('slow')
    audit.subscribe(sink, { maxQueue: 1 })
    for (let count = 0; count < 5; count += 1) audit.emit(decision())
    const closing = audit.close(50)
    await closing
    expect(got.map(({ type }) => type)).toContain('audit.events.dropped')
  })

  test('[audit-close] writes what was granted while the sinks flushed', async () => {
    const audit = createAudit()
    const sink = heldSink()
    const writtenAtEnd: number[] = []
    let granted = 0
    const grant = () => {
      if (audit.emit(decision({ type: 'access.granted' })) === true) granted += 1
    }
    const close = () => void writtenAtEnd.push(sink.got.length - sink.waiting())
    audit.subscribe({ write: (event) => sink.write(event), close })
    grant()
    const closing = audit.close()
    grant()
    grant()
    while (writtenAtEnd.length === 0) {
      if (sink.waiting() > 0) sink.release()
      await settled()
    }
    await closing
    expect([granted, writtenAtEnd]).toEqual([3, [3]])
  })

  test('[audit-close] reports what failed while the sinks flushed', async () => {
    const audit = createAudit()
    const { got, write } = collect()
    audit.subscribe(write)
    audit.subscribe({ name: 'full', write: () => Promise.reject(new Error('full')) })
    audit.emit(decision())
    await audit.close()
    expect(got.map(({ type }) => type)).toEqual(['access.denied', 'audit.sink.failed'])
  })

  test('[audit-close] takes no longer in all than it may, with sinks that hang in every way', async () => {
    const audit = createAudit()
    const never = () => new Promise<void>(() => undefined)
    audit.subscribe({ write: never, flush: never, close: never })
    audit.emit(decision())
    jest.useFakeTimers()
    try {
      let isClosed = false
      void audit.close(200).then(() => {
        isClosed = true
      })
      await jest.advanceTimersByTimeAsync(199)
      expect(isClosed).toBe(false)
      // A timer of 0 ms takes 1.
      await jest.advanceTimersByTimeAsync(2)
      expect(isClosed).toBe(true)
    } finally {
      jest.useRealTimers()
    }
  })
})
