import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { type AuditEvent, createAudit } from '@countersign/core'
import { AUDIT_CHANNEL } from '@countersign/core/gate-kit'
import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals'
import { decision, heldSink, settled } from '../../../test/support/audit-events.js'

let warn: jest.SpiedFunction<typeof process.emitWarning>
beforeEach(() => {
  warn = jest.spyOn(process, 'emitWarning').mockImplementation(() => undefined)
})
afterEach(() => warn.mockRestore())

const collect = () => {
  const got: AuditEvent[] = []
  return { got, write: (event: AuditEvent) => void got.push(event) }
}
const reasons = (events: readonly AuditEvent[]) => events.map(({ reason }) => reason)

describe('sinks', () => {
  test('get every event until they are unsubscribed, a filtered one what its filter takes', () => {
    const audit = createAudit()
    const [all, some] = [collect(), collect()]
    const stop = audit.subscribe(all.write)
    audit.subscribe(some.write, ({ reason }) => reason === 'b')
    for (const reason of ['a', 'b', 'c']) audit.emit(decision({ reason }))
    stop()
    stop()
    audit.emit(decision({ reason: 'd' }))
    expect([reasons(all.got), reasons(some.got)]).toEqual([['a', 'b', 'c'], ['b']])
  })

  test.each<[string, () => void | Promise<void>]>([
    [
      'throws',
      () => {
        throw new Error('a bug')
      },
    ],
    ['rejects', async () => Promise.reject(new Error('a bug'))],
    ['hangs', async () => new Promise(() => undefined)],
    ['throws what is not an error', () => Promise.reject(undefined)],
  ])('[audit-isolation] one that %s harms neither the emitter nor another sink', async (_name, write) => {
    const audit = createAudit()
    const good = collect()
    audit.subscribe({ name: 'bad', write })
    audit.subscribe(good.write)
    for (let count = 0; count < 50; count += 1) expect(audit.emit(decision())).toBe(true)
    await settled()
    expect(good.got.filter(({ type }) => type === 'access.denied')).toHaveLength(50)
  })

  test('[audit-isolation] a filter that throws fails its own sink alone', async () => {
    const audit = createAudit()
    const good = collect()
    audit.subscribe(good.write)
    audit.subscribe(
      () => undefined,
      () => {
        throw new Error('a bug')
      },
    )
    audit.emit(decision())
    expect(good.got).toHaveLength(1)
    expect(audit.stats().sinks).toMatchObject([{ failed: 0 }, { failed: 1 }])
  })

  test('[audit-isolation] a sink whose return value throws when it is read fails alone, and is written to again', () => {
    const told: string[] = []
    const refuse = (): never => {
      throw new Error('no')
    }
    const refusing = new Proxy({}, { get: refuse })
    const audit = createAudit()
    audit.subscribe({ name: 'bad', write: () => refusing as unknown as Promise<void> })
    audit.subscribe((event) => void told.push(event.type))
    expect([audit.emit(decision()), audit.emit(decision())]).toEqual([true, true])
    expect(told).toHaveLength(2)
    expect(audit.stats().sinks).toMatchObject([{ name: 'bad', queued: 0, failed: 2 }, { failed: 0 }])
  })

  test('[audit-isolation] the name of a sink is read when it is subscribed, and not at a request', () => {
    const audit = createAudit()
    let reads = 0
    audit.subscribe({
      get name(): string {
        reads += 1
        if (reads > 1) throw new Error('no')
        return 'shy'
      },
      write: () => undefined,
    })
    audit.emit(decision())
    expect(audit.stats().sinks).toMatchObject([{ name: 'shy' }])
  })

  test('[audit-isolation] a sink that emits while it is written to is heard in order', () => {
    const audit = createAudit()
    const got: (string | undefined)[] = []
    audit.subscribe(({ reason }) => {
      got.push(reason)
      if (reason === 'a') audit.emit(decision({ reason: 'nested' }))
    })
    audit.emit(decision({ reason: 'a' }))
    audit.emit(decision({ reason: 'b' }))
    expect(got).toEqual(['a', 'nested', 'b'])
  })

  test.each<[unknown, unknown, string]>([
    [undefined, undefined, 'option "sink" is required'],
    [{ writ: () => undefined }, undefined, 'option "sink" must be a function or an object with a `write` method'],
    [() => undefined, { requird: true }, 'unknown option "requird". Did you mean "required"?'],
    [() => undefined, { maxQueue: 0 }, 'option "maxQueue" must be an integer from 1'],
    [() => undefined, { required: 'yes' }, 'option "required" must be true or false, got "yes"'],
    [() => undefined, { deadlineMs: 0.5 }, 'option "deadlineMs" must be an integer from 1'],
    [() => undefined, { filter: 'all' }, 'option "filter" must be a function'],
  ])('[audit-options] %p with %p is refused immediately', (sink, options, message) => {
    const audit = createAudit()
    expect(() => audit.subscribe(sink as () => void, options as object)).toThrow(message)
    expect(audit.active).toBe(false)
  })

  test('[audit-options] the options of createAudit are checked', () => {
    expect(() => createAudit({ sink: [] } as object)).toThrow('unknown option "sink". Did you mean "sinks"?')
    expect(() => createAudit({ now: 5 } as object)).toThrow('option "now" must be a function')
  })
})

describe('the queue of an asynchronous sink', () => {
  test('[audit-bounded-queue] drops the oldest beyond its bound, keeps the order, and counts', async () => {
    const audit = createAudit()
    const sink = heldSink()
    audit.subscribe(sink, { maxQueue: 3 })
    for (let count = 0; count < 10; count += 1) audit.emit(decision({ reason: `r${count}` }))
    // One is being written; of the nine others, the last three wait.
    expect(audit.stats().sinks).toEqual([
      { name: 'held', required: false, queued: 3, dropped: 6, folded: 0, failed: 0 },
    ])
    for (let count = 0; count < 4; count += 1) {
      sink.release()
      await settled()
    }
    expect(reasons(sink.got).filter(Boolean)).toEqual(['r0', 'r7', 'r8', 'r9'])
  })

  test('[audit-bounded-queue] writes one event at a time, and continues after a failure', async () => {
    const audit = createAudit()
    const sink = heldSink()
    audit.subscribe(sink)
    for (const reason of ['a', 'b', 'c']) audit.emit(decision({ reason }))
    expect([sink.got.length, sink.waiting()]).toEqual([1, 1])
    sink.release(new Error('failed'))
    await settled()
    sink.release()
    await settled()
    sink.release()
    await settled()
    expect(reasons(sink.got).filter(Boolean)).toEqual(['a', 'b', 'c'])
    expect(audit.stats().sinks).toMatchObject([{ failed: 1, queued: 0, dropped: 0 }])
  })

  test('[audit-bounded-queue] holds no more memory for a million events than its bound', () => {
    const audit = createAudit()
    audit.subscribe(heldSink(), { maxQueue: 100 })
    for (let count = 0; count < 100_000; count += 1) audit.emit(decision({ type: 'access.granted' }))
    expect(audit.stats().sinks).toMatchObject([{ queued: 100, dropped: 99_899 }])
  })
})

describe('what sinks lose', () => {
  beforeEach(() => {
    jest.useFakeTimers()
  })
  afterEach(() => {
    jest.useRealTimers()
  })

  test('[audit-dropped-event] is counted in an event, to every sink, once a minute at most', async () => {
    const audit = createAudit()
    const good = collect()
    audit.subscribe(heldSink('slow'), { maxQueue: 1 })
    audit.subscribe(good.write, ({ type }) => type.startsWith('audit.'))
    const flood = (count: number) => {
      for (let index = 0; index < count; index += 1) audit.emit(decision())
    }
    flood(12)
    await jest.advanceTimersByTimeAsync(1)
    expect(good.got).toMatchObject([
      {
        type: 'audit.events.dropped',
        outcome: 'error',
        severity: 'warning',
        attributes: { sink: 'slow', dropped: 10 },
      },
    ])
    flood(5)
    await jest.advanceTimersByTimeAsync(59_000)
    flood(5)
    expect(good.got).toHaveLength(1)
    await jest.advanceTimersByTimeAsync(1_000)
    // The report went into the queue of the slow sink, too, and pushed one event out of it.
    expect(good.got.map(({ attributes }) => attributes?.dropped)).toEqual([10, 11])
  })

  test('[audit-failures-reported] is reported once a minute at most, as an event to the others and as a warning', async () => {
    const audit = createAudit()
    const good = collect()
    const bad = collect()
    audit.subscribe(good.write, ({ type }) => type.startsWith('audit.'))
    audit.subscribe({
      name: 'bad',
      write: (event) => {
        bad.write(event)
        throw new Error('the secret is hunter2')
      },
    })
    for (let index = 0; index < 1_000; index += 1) audit.emit(decision())
    await jest.advanceTimersByTimeAsync(1)
    audit.emit(decision())
    await jest.advanceTimersByTimeAsync(59_999)
    await jest.advanceTimersByTimeAsync(120_000)
    expect(good.got.map(({ type, attributes }) => [type, attributes])).toEqual([
      ['audit.sink.failed', { sink: 'bad', failures: 1000 }],
      ['audit.sink.failed', { sink: 'bad', failures: 1 }],
    ])
    expect(bad.got.filter(({ type }) => type === 'audit.sink.failed')).toEqual([])
    const page = 'https://countersign.example/errors/COUNTERSIGN_AUDIT_SINK_FAILED'
    expect(warn.mock.calls).toMatchObject([
      [`The audit sink "bad" failed 1000 time(s). See ${page}`, { code: 'COUNTERSIGN_AUDIT_SINK_FAILED' }],
      [`The audit sink "bad" failed 1 time(s). See ${page}`, { code: 'COUNTERSIGN_AUDIT_SINK_FAILED' }],
    ])
    expect(JSON.stringify(warn.mock.calls)).not.toContain('hunter2')
  })

  test('[audit-failures-reported] keeps no process alive, and leaves no timer when nothing is lost', () => {
    const audit = createAudit({ sinks: [() => undefined] })
    audit.emit(decision())
    expect(jest.getTimerCount()).toBe(0)
  })
})

describe('the diagnostics channel', () => {
  test('[audit-diagnostics-channel] gets every event of every emitter', () => {
    expect(AUDIT_CHANNEL).toBe('countersign:audit')
    const got: AuditEvent[] = []
    const listen = (message: unknown) => void got.push(message as AuditEvent)
    subscribe('countersign:audit', listen)
    const [one, two] = [createAudit(), createAudit({ sinks: [() => undefined] })]
    expect([one.active, two.active]).toEqual([true, true])
    one.emit(decision({ reason: 'one' }))
    two.emit(decision({ reason: 'two' }))
    unsubscribe('countersign:audit', listen)
    one.emit(decision({ reason: 'three' }))
    expect(reasons(got)).toEqual(['one', 'two'])
  })

  test('[audit-diagnostics-channel] costs nothing without a listener: not even the event is made', () => {
    let asked = 0
    const audit = createAudit({
      now: () => {
        asked += 1
        return 0
      },
    })
    expect(audit.active).toBe(false)
    expect(audit.emit(decision())).toBe(true)
    expect(asked).toBe(0)
  })
})
