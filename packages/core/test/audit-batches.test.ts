import { type AuditEvent, createAudit } from '@countersign/core'
import { describe, expect, test } from '@jest/globals'
import { decision, heldBatches, settled } from '../../../test/support/audit-events.js'

const reasons = (events: readonly AuditEvent[] | undefined) => events?.map(({ reason }) => reason)
const names = (count: number) => Array.from({ length: count }, (_, index) => `r${index}`)

describe('a sink with writeMany', () => {
  test('[audit-batches] gets in one call all that came while it wrote, in its order, and never by write', async () => {
    const audit = createAudit()
    const sink = heldBatches()
    audit.subscribe(sink)
    for (const reason of names(5)) audit.emit(decision({ reason }))
    expect(sink.got.map(reasons)).toEqual([['r0']])
    sink.release()
    await settled()
    expect(sink.got.map(reasons)).toEqual([['r0'], ['r1', 'r2', 'r3', 'r4']])
    sink.release()
    expect(await audit.flush()).toBe(true)
    expect(audit.stats().sinks).toMatchObject([{ queued: 0, dropped: 0, failed: 0 }])
  })

  test('[audit-batches] gets 10,000 at most, and 100,000 may wait unless maxQueue says otherwise', async () => {
    const audit = createAudit()
    const sink = heldBatches()
    audit.subscribe(sink)
    for (let count = 0; count < 100_002; count += 1) audit.emit(decision({ type: 'access.granted' }))
    expect(audit.stats().sinks).toMatchObject([{ queued: 100_000, dropped: 1 }])
    sink.release()
    await settled()
    expect(sink.got.map(({ length }) => length)).toEqual([1, 10_000])
    const small = createAudit()
    small.subscribe(heldBatches(), { maxQueue: 3 })
    for (let count = 0; count < 10; count += 1) small.emit(decision())
    expect(small.stats().sinks).toMatchObject([{ queued: 3, dropped: 6 }])
  })

  test('[audit-batches] that fails has lost each event of the batch, and gets the next one', async () => {
    const audit = createAudit()
    const sink = heldBatches()
    audit.subscribe(sink)
    for (const reason of names(4)) audit.emit(decision({ reason }))
    sink.release()
    await settled()
    sink.release(new Error('full'))
    await settled()
    audit.emit(decision({ reason: 'next' }))
    expect(audit.stats().sinks).toMatchObject([{ failed: 3 }])
    expect(reasons(sink.got[2])).toEqual(['next'])
  })

  test('[audit-batches] that takes them synchronously gets each event as it comes', () => {
    const audit = createAudit()
    const got: (string | undefined)[][] = []
    audit.subscribe({ write: () => undefined, writeMany: (events) => void got.push(reasons(events) ?? []) })
    for (const reason of names(3)) audit.emit(decision({ reason }))
    expect(got).toEqual([['r0'], ['r1'], ['r2']])
  })

  test('[audit-required] that is required answers for each event of a batch', async () => {
    const audit = createAudit()
    const sink = heldBatches()
    audit.subscribe(sink, { required: true, maxQueue: 4, deadlineMs: 60_000 })
    const results = names(7).map((reason) => audit.emit(decision({ reason })))
    sink.release()
    await settled()
    // Beyond what may wait it fails immediately.
    expect(await Promise.all([results[0], results[5], results[6]])).toEqual([true, false, false])
    expect(sink.got.map(reasons)).toEqual([['r0'], ['r1', 'r2', 'r3', 'r4']])
    sink.release(new Error('full'))
    expect(await Promise.all(results)).toEqual([true, false, false, false, false, false, false])
    expect(audit.stats().sinks).toMatchObject([{ required: true, queued: 0, failed: 6 }])
  })

  test('[audit-required] that hangs fails after its deadline, for what waits behind it too', async () => {
    const audit = createAudit()
    audit.subscribe(heldBatches(), { required: true, deadlineMs: 20 })
    expect(await Promise.all([audit.emit(decision()), audit.emit(decision())])).toEqual([false, false])
  })

  test('[audit-required] that answered while the app was busy is in time', async () => {
    const audit = createAudit()
    const later = () =>
      new Promise<void>((resolve) => {
        // Due before the deadline, as an answer that arrives is; read after it, for the app does not come to it.
        setTimeout(() => setImmediate(resolve), 5)
      })
    audit.subscribe({ write: later, writeMany: later }, { required: true, deadlineMs: 40 })
    const emitted = audit.emit(decision())
    const untilMs = performance.now() + 80
    while (performance.now() < untilMs);
    expect(await emitted).toBe(true)
  })
})
