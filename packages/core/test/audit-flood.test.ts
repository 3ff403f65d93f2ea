import { type AuditEvent, createAudit } from '@countersign/core'
import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals'
import { decision, heldBatches, heldSink, settled } from '../../../test/support/audit-events.js'

const granted = (reason: string) => decision({ type: 'access.granted', reason })
const from = (clientAddress: string | undefined, reason = 'bad_signature') =>
  decision({ reason, http: { method: 'GET', route: '/', status: 401, clientAddress } })
const reasons = (events: readonly AuditEvent[] | undefined) => events?.map(({ reason }) => reason)
const counts = (events: readonly AuditEvent[]) => events.filter(({ type }) => type === 'audit.events.folded')

/** An emitter whose one sink holds its first write, so that all that follows waits. */
function held(options: object = {}) {
  const audit = createAudit()
  const sink = heldBatches()
  audit.subscribe(sink, options)
  void audit.emit(granted('first'))
  return { audit, sink }
}

/** Everything that the sink was handed, once it has all. */
async function all({ audit, sink }: ReturnType<typeof held>): Promise<AuditEvent[]> {
  const flushed = audit.flush(60_000)
  while (sink.waiting() > 0) {
    sink.release()
    await settled()
  }
  expect(await flushed).toBe(true)
  return sink.got.flat()
}

describe('what is kept first', () => {
  test('[audit-priority] is grants and changes of state, then critical events, then the rest', async () => {
    const world = held({ maxQueue: 4 })
    const { audit } = world
    audit.emit(from('192.0.2.1', 'refused'))
    audit.emit(decision({ reason: 'replayed', severity: 'critical' }))
    audit.emit(granted('g1'))
    audit.emit({ type: 'mcp.credential.revoked', reason: 'change' })
    audit.emit(granted('g2'))
    audit.emit(from('192.0.2.1', 'another'))
    audit.emit(granted('g3'))
    audit.emit(decision({ reason: 'leak', severity: 'critical' }))
    expect(audit.stats().sinks).toMatchObject([{ queued: 4, dropped: 4 }])
    expect(reasons(await all(world))).toEqual(['first', 'g1', 'change', 'g2', 'g3'])
  })

  test('[audit-priority] is written first when more waits than one batch takes, and in order within the batch', async () => {
    const { audit, sink } = held()
    // Ten from each of 1,001 networks: none is folded.
    for (let count = 0; count < 10_010; count += 1) {
      const network = count % 1_001
      audit.emit(from(`192.0.${network >> 8}.${network & 255}`, 'refused'))
    }
    audit.emit(granted('late'))
    sink.release()
    await settled()
    expect(sink.got[1]).toHaveLength(10_000)
    expect(reasons(sink.got[1])?.at(-1)).toBe('late')
  })

  test('[audit-priority] of a required sink is a grant: refusals that wait give way, and never fail it', async () => {
    const { audit, sink } = held({ required: true, maxQueue: 3, deadlineMs: 60_000 })
    const refused = [1, 2, 3, 4].map((host) => audit.emit(from(`192.0.2.${host}`)))
    const grants = [audit.emit(granted('g1')), audit.emit(granted('g2'))]
    sink.release()
    await settled()
    sink.release()
    expect(await Promise.all(grants)).toEqual([true, true])
    expect(await Promise.all(refused)).toEqual([false, false, true, false])
  })

  test('[audit-priority] of a required sink that takes one at a time is a grant, too', async () => {
    const audit = createAudit()
    const sink = heldSink()
    audit.subscribe(sink, { required: true, maxQueue: 3, deadlineMs: 60_000 })
    const refused = [1, 2, 3, 4].map((host) => audit.emit(from(`192.0.2.${host}`)))
    const grants = [1, 2, 3, 4].map((count) => audit.emit(granted(`g${count}`)))
    while (sink.waiting() > 0) sink.release()
    expect(await Promise.all(refused)).toEqual([true, true, true, false])
    expect(await Promise.all(grants)).toEqual([true, true, true, false])
  })
})

describe('a flood', () => {
  // All of it is in one second, however busy the machine is.
  beforeEach(() => {
    jest.useFakeTimers({ doNotFake: ['setImmediate', 'nextTick', 'queueMicrotask'] })
  })
  afterEach(() => {
    jest.useRealTimers()
  })

  test('[audit-flood] of one reason from one address is counted beyond 100 a second, and grants are not', async () => {
    const world = held()
    for (let count = 0; count < 5_000; count += 1) {
      world.audit.emit(from('192.0.2.1'))
      if (count < 500) world.audit.emit(granted('g'))
    }
    expect(world.audit.stats().sinks).toMatchObject([{ dropped: 0, failed: 0 }])
    const got = await all(world)
    const own = got.filter(({ type }) => type === 'access.denied').length
    const folded = counts(got)
    expect([own, folded.map(({ attributes }) => attributes?.folded)]).toEqual([100, [4_900]])
    expect(got.filter(({ type }) => type === 'access.granted')).toHaveLength(501)
    expect(folded[0]).toMatchObject({
      type: 'audit.events.folded',
      gate: 'hmac',
      reason: 'bad_signature',
      outcome: 'failure',
      severity: 'warning',
      attributes: {
        event_type: 'access.denied',
        network: '192.0.2.1',
        since: expect.any(String),
        until: expect.any(String),
      },
    })
  })

  test('[audit-flood] is counted when its second is over, without any other event', async () => {
    const { audit, sink } = held()
    for (let count = 0; count < 150; count += 1) audit.emit(from('192.0.2.1'))
    await jest.advanceTimersByTimeAsync(999)
    for (let count = 0; count < 3; count += 1) {
      sink.release()
      await settled()
    }
    expect(counts(sink.got.flat())).toEqual([])
    await jest.advanceTimersByTimeAsync(1)
    expect(counts(sink.got.flat())).toMatchObject([{ attributes: { folded: 50 } }])
  })

  test.each([
    [
      'one /64 of IPv6',
      ['2001:db8:1:2::1', '2001:db8:1:2:ffff::9', '2001:DB8:0001:2:3:4:5:6%eth0'],
      '2001:db8:1:2::/64',
    ],
    ['an IPv4 address and the same in IPv6', ['192.0.2.1', '::ffff:192.0.2.1'], '192.0.2.1'],
    ['no address', [undefined], 'unknown'],
    ['loopback', ['::1'], '0:0:0:0::/64'],
  ])('[audit-flood] is told apart by network: %s', async (_name, addresses, network) => {
    const world = held()
    for (let count = 0; count < 200; count += 1) world.audit.emit(from(addresses[count % addresses.length]))
    for (let count = 0; count < 50; count += 1) world.audit.emit(from('2001:db8:1:3::1'))
    const got = await all(world)
    expect(counts(got).map(({ attributes }) => [attributes?.network, attributes?.folded])).toEqual([[network, 100]])
  })

  test('[audit-flood] from ever new addresses has 1,024 buckets, and one for the others', async () => {
    const world = held()
    for (let count = 0; count < 20_000; count += 1)
      world.audit.emit(from(`10.${count >> 16}.${(count >> 8) & 255}.${count & 255}`))
    const got = await all(world)
    const folded = counts(got)
    const own = got.filter(({ type }) => type === 'access.denied').length
    expect(own).toBe(1_024 + 100)
    expect(folded.map(({ attributes }) => [attributes?.network, attributes?.folded])).toEqual([['others', 18_876]])
  })

  test('[audit-flood] is no matter for a sink that takes each event as it comes', () => {
    const got: AuditEvent[] = []
    const audit = createAudit({ sinks: [(event) => void got.push(event)] })
    for (let count = 0; count < 500; count += 1) audit.emit(from('192.0.2.1'))
    expect(got).toHaveLength(500)
  })

  test('[audit-flood] of a required sink is written before a flush is done', async () => {
    const audit = createAudit()
    const sink = heldSink()
    audit.subscribe(sink, { required: true })
    for (let count = 0; count < 150; count += 1) void audit.emit(from('198.51.100.1'))
    let isFlushed = false
    const flushed = audit.flush().then((result) => {
      isFlushed = true
      return result
    })
    while (counts(sink.got).length === 0) {
      sink.release()
      await settled()
    }
    while (sink.waiting() > 1) sink.release()
    await settled()
    expect(isFlushed).toBe(false)
    sink.release()
    expect(await flushed).toBe(true)
  })

  test('[audit-flood] of a required sink is counted as well, once', async () => {
    for (const sink of [heldSink(), heldBatches()]) {
      const audit = createAudit()
      audit.subscribe(sink, { required: true, deadlineMs: 60_000 })
      const results = Array.from({ length: 400 }, () => audit.emit(from('192.0.2.1')))
      const flushed = audit.flush(60_000)
      const release = async () => {
        await settled()
        while (sink.waiting() > 0) {
          sink.release()
          await settled()
        }
      }
      await release()
      expect(new Set(await Promise.all(results))).toEqual(new Set([true]))
      await release()
      expect(await flushed).toBe(true)
      const folded = counts((sink.got as readonly (AuditEvent | readonly AuditEvent[])[]).flat())
      expect(folded).toMatchObject([{ attributes: { network: '192.0.2.1' } }])
      expect(audit.stats().sinks).toMatchObject([{ folded: folded[0]?.attributes?.folded, failed: 0 }])
    }
  })
})
