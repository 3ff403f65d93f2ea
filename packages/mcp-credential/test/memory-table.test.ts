import { describe, expect, test } from '@jest/globals'
import { resolveLife } from '../src/registry/life.js'
import { CredentialTable } from '../src/store/memory/credential-table.js'
import { type Entry, isRevoked, type StoredEntry } from '../src/store/memory/entry.js'
import type { RevocableScope } from '../src/store/port.js'

const BUCKET = 15_000
const IDLE = 600_000
const RETENTION = 3_600_000
const life = resolveLife(
  'test',
  { idleTimeoutSeconds: 600, maximumLifetimeSeconds: 86_400, absoluteLifetimeSeconds: undefined, slideOn: 'both' },
  false,
)

const stored = (id: string, more: Partial<StoredEntry> = {}): StoredEntry => ({
  id,
  digest: Buffer.alloc(32, 0xe9).toString('base64'),
  threadId: 't1',
  providerInstanceId: 'p1',
  providerSessionId: undefined,
  capabilities: ['a', 'b'],
  issuedAt: 1,
  absolute: undefined,
  expires: 86_400_000,
  idle: IDLE,
  ...more,
})

/** A table whose time the test moves, with these credentials. */
function tableOf(...entries: StoredEntry[]) {
  const at = { now: 0, running: 0, wall: 0 }
  const table = new CredentialTable({ maxCredentials: 3, moment: () => ({ ...at }) })
  table.life = life
  for (const entry of entries) table.insert(entry)
  const pass = (ms: number) => {
    at.now += ms
    at.running += ms
    table.sweep()
  }
  return { table, at, pass, ids: (threadId = 't1') => table.ofThread(threadId).map(({ id }) => id) }
}

const revoked = (table: CredentialTable, ...ids: string[]) => ids.map((id) => isRevoked(table.get(id) as Entry))

describe('what is inserted', () => {
  test('is found by its id, and in its thread from the oldest on', () => {
    const { table, ids } = tableOf(stored('c1'), stored('c2'), stored('c3', { threadId: 't2' }))
    expect([table.size, ids(), ids('t2'), ids('t3')]).toEqual([3, ['c1', 'c2'], ['c3'], []])
    expect([...table.values()].map(({ id }) => id)).toEqual(['c1', 'c2', 'c3'])
    expect([...table.threads()].map(({ id }) => id)).toEqual(['t1', 't2'])
    expect(table.get('c1')).toMatchObject({
      digest: 'é'.repeat(32),
      capabilities: ['a', 'b'],
      issuedAt: 1,
      absolute: undefined,
      expires: 86_400_000,
      idle: IDLE,
      session: undefined,
      usableUntil: undefined,
      holder: undefined,
      isRevoked: false,
    })
    expect([table.get('c4'), table.thread('t1')?.id, table.thread('t3')]).toEqual([undefined, 't1', undefined])
  })

  test('has its absolute end, its session and the overlap that it had', () => {
    const { table } = tableOf(stored('c1', { absolute: 5, providerSessionId: 's1', usableUntil: 9 }))
    expect(table.get('c1')).toMatchObject({ absolute: 5, session: { id: 's1' }, usableUntil: 9 })
  })

  test('is revoked when that was stored, and by what it has itself alone', () => {
    const { table, ids } = tableOf(stored('c1', { isRevoked: true }), stored('c2', { isRevoked: false }))
    expect([revoked(table, 'c1', 'c2'), ids()]).toEqual([[true, false], ['c2']])
    const prototype = Object.prototype as unknown as Record<string, unknown>
    prototype.isRevoked = true
    prototype.usableUntil = 1
    try {
      const { isRevoked: _, usableUntil: __, ...plain } = stored('c3')
      table.insert(plain)
    } finally {
      delete prototype.isRevoked
      delete prototype.usableUntil
    }
    expect(table.get('c3')).toMatchObject({ isRevoked: false, usableUntil: undefined })
  })

  test('shares its list of capabilities with others, and nobody can change it', () => {
    const given = ['a', 'b']
    const { table } = tableOf(
      stored('c1', { capabilities: given }),
      stored('c2'),
      stored('c3', { capabilities: ['ab'] }),
    )
    given.push('c')
    const listOf = (id: string) => table.get(id)?.capabilities
    expect([listOf('c1'), listOf('c1') === listOf('c2'), listOf('c3')]).toEqual([['a', 'b'], true, ['ab']])
    expect(Object.isFrozen(listOf('c1'))).toBe(true)
    for (let index = 0; index < 1000; index += 1) table.insert(stored(`m${index}`, { capabilities: [`m${index}`] }))
    for (const id of ['x1', 'x2']) table.insert(stored(id, { capabilities: ['beyond'] }))
    expect([listOf('m0'), listOf('x1'), listOf('x1') === listOf('x2')]).toEqual([['m0'], ['beyond'], false])
  })
})

describe('a revocation', () => {
  const three = () =>
    tableOf(
      stored('c1', { providerSessionId: 's1' }),
      stored('c2', { providerInstanceId: 'p2' }),
      stored('c3', { threadId: 't2', providerInstanceId: 'p2', providerSessionId: 's1' }),
    )

  test('of one ends it once, and it leaves its thread', () => {
    const { table, ids } = three()
    expect([table.revoke('c1'), table.revoke('c1'), table.revoke('c9')]).toEqual([true, false, false])
    expect([revoked(table, 'c1', 'c2', 'c3'), ids(), table.size]).toEqual([[true, false, false], ['c2'], 3])
  })

  test.each<[RevocableScope, string, boolean[]]>([
    ['thread', 't1', [true, true, false]],
    ['provider', 'p2', [false, true, true]],
    ['session', 's1', [true, false, true]],
    ['all', '*', [true, true, true]],
  ])('of the %s %s ends what is in it, once, and nothing that comes later', (scope, id, expected) => {
    const { table } = three()
    expect(table.revokeScope(scope, id)).toBe(true)
    expect([table.revokeScope(scope, id), revoked(table, 'c1', 'c2', 'c3')]).toEqual([false, expected])
    table.insert(stored('c4', { providerInstanceId: 'p2', providerSessionId: 's1' }))
    expect(revoked(table, 'c4')).toEqual([false])
    expect(table.revokeScope(scope, scope === 'session' ? 's1' : scope === 'provider' ? 'p2' : 't1')).toBe(true)
  })

  test.each<RevocableScope>(['thread', 'provider', 'session'])('of a %s that there is not ends nothing', (scope) => {
    const { table } = three()
    expect([table.revokeScope(scope, 'x'), revoked(table, 'c1', 'c2', 'c3')]).toEqual([false, [false, false, false]])
  })

  test('of a thread empties it, and blocks it where it is retired', () => {
    const { table, ids } = three()
    expect([table.retire('t1', 500), table.retire('t1', 500), table.retired.has('t1', 500)]).toEqual([
      true,
      false,
      true,
    ])
    expect([ids(), revoked(table, 'c1', 'c2', 'c3'), table.thread('t1')]).toEqual([[], [true, true, false], undefined])
    expect([table.get('c1')?.older, table.get('c2')?.older]).toEqual([undefined, undefined])
    table.revokeScope('thread', 't2')
    expect(table.retired.has('t2', 0)).toBe(false)
  })
})

test('a revocation needs not know how long credentials live: after a restart', () => {
  const { table, ids } = tableOf(stored('c1'), stored('c2'))
  table.setAlive('t1', { fromRunning: 0, from: 0, until: 2 * IDLE, touchedAt: 5 })
  table.life = undefined
  expect([table.revoke('c1'), revoked(table, 'c1', 'c2'), ids()]).toEqual([true, [true, false], ['c2']])
})

describe('one that a newer one takes the place of', () => {
  test('is usable until then, an earlier limit stays, and leaves its thread when that is over', () => {
    const { table, at, ids } = tableOf(stored('c1'))
    at.now = 100
    table.supersede('c1', 200)
    table.supersede('c1', 300)
    expect([table.get('c1')?.usableUntil, ids()]).toEqual([200, ['c1']])
    table.supersede('c1', 100)
    expect([table.get('c1')?.usableUntil, ids()]).toEqual([100, ['c1']])
    table.supersede('c1', 99)
    table.supersede('c9', 99)
    expect([table.get('c1')?.usableUntil, ids(), table.size]).toEqual([99, [], 1])
  })

  test('stands for the newest, and ends with what is not known', () => {
    const { table } = tableOf(stored('c1'), stored('c2'), stored('c3'))
    table.carry('c2', 'c3')
    table.carry('c1', 'c2')
    expect([table.get('c2')?.holder?.id, table.get('c1')?.holder?.id]).toEqual(['c3', 'c3'])
    table.carry('c3', 'c9')
    table.carry('c9', 'c1')
    expect(revoked(table, 'c1', 'c3')).toEqual([false, true])
  })

  test('keeps what a touch had lent it when it leaves', () => {
    const { table } = tableOf(stored('c1'))
    table.setAlive('t1', { fromRunning: 0, from: 0, until: 2 * IDLE, touchedAt: 5 })
    table.setAlive('t9', { fromRunning: 0, from: 0, until: 0, touchedAt: 0 })
    expect([table.thread('t1')?.alive?.until, table.thread('t9')]).toEqual([2 * IDLE, undefined])
    table.revoke('c1')
    expect(table.get('c1')).toMatchObject({ idle: 2 * IDLE, expires: 86_400_005 })
  })
})

describe('what is dead', () => {
  test('is dropped when its retention is over, with its thread and its scopes', () => {
    const { table, pass } = tableOf(stored('c1', { providerSessionId: 's1' }))
    pass(IDLE + RETENTION - BUCKET)
    expect(table.size).toBe(1)
    pass(2 * BUCKET)
    expect([table.size, table.thread('t1')]).toEqual([0, undefined])
    expect([table.revokeScope('provider', 'p1'), table.revokeScope('session', 's1')]).toEqual([false, false])
  })

  test.each<[string, Partial<StoredEntry>, number]>([
    ['its overlap', { usableUntil: 60_000 }, 60_000],
    ['its expiry', { expires: 90_000 }, 90_000],
    ['its idleness', {}, IDLE],
  ])('is known for its retention after the end of %s', (_what, more, end) => {
    const { table, at } = tableOf(stored('c1', more))
    const entry = table.get('c1') as Entry
    const forgets = (ms: number) => table.forgets(entry, Object.assign(at, { now: ms, running: ms }), life)
    expect([forgets(end + RETENTION - 1), table.size]).toEqual([false, 1])
    expect([forgets(end + RETENTION), table.size]).toEqual([true, 0])
  })

  test('as an alias is known as long as what it stands for', () => {
    const { table, at } = tableOf(stored('c1', { usableUntil: 60_000 }), stored('c2', { idle: 2 * IDLE }))
    table.carry('c1', 'c2')
    const alias = table.get('c1') as Entry
    const forgets = (ms: number) => table.forgets(alias, Object.assign(at, { now: ms, running: ms }), life)
    expect([forgets(2 * IDLE + RETENTION - 1), forgets(2 * IDLE + RETENTION)]).toEqual([false, true])
  })

  test('stays while its deadline moves', () => {
    const { table, pass } = tableOf(stored('c1'))
    pass(IDLE)
    Object.assign(table.get('c1') as Entry, { idle: 2 * IDLE })
    pass(RETENTION + BUCKET)
    expect(table.size).toBe(1)
    pass(IDLE + BUCKET)
    expect(table.size).toBe(0)
  })

  test('is not dropped before it is known how long credentials live: after a restart', () => {
    const { table, pass } = tableOf(stored('c1'))
    table.life = undefined
    pass(100 * RETENTION)
    expect(table.size).toBe(1)
    table.insert(stored('c2'))
    table.life = life
    pass(BUCKET)
    expect(table.size).toBe(0)
  })

  test('takes retired threads along whose time is over', () => {
    const { table, pass } = tableOf()
    table.retire('t1', 100)
    pass(101)
    expect(table.retired.entries()).toEqual([])
  })

  test('is bounded: of more than 20,000 that have ended, the 10,000 oldest are dropped', () => {
    const { table } = tableOf()
    for (let index = 0; index < 20_000; index += 1) {
      table.insert(stored(`c${index}`))
      table.revoke(`c${index}`)
    }
    expect(table.size).toBe(20_000)
    table.insert(stored('last'))
    table.revoke('last')
    expect([table.size, table.get('c9999'), table.get('c10000')?.id, table.get('last')?.id]).toEqual([
      10_001,
      undefined,
      'c10000',
      'last',
    ])
  })

  test('is dropped once, and takes nothing of what has come since', () => {
    const { table, ids } = tableOf(stored('c1'), stored('c2'))
    const entry = table.get('c1') as Entry
    table.drop(entry)
    table.insert(stored('c1'))
    table.drop(entry)
    expect([table.size, ids(), table.revokeScope('provider', 'p1')]).toEqual([2, ['c2', 'c1'], true])
  })
})

test('what is dropped of a thread that was revoked takes nothing of the thread of that name that came after it', () => {
  const { table, ids } = tableOf(stored('c1'))
  const ended = table.get('c1') as Entry
  table.revokeScope('thread', 't1')
  table.insert(stored('c2'))
  table.drop(ended)
  expect([ids(), table.revokeScope('thread', 't1'), revoked(table, 'c2')]).toEqual([['c2'], true, [true]])
})

describe('a full table', () => {
  test('drops its dead ones first, at most once in 15 s', () => {
    const { table, at } = tableOf(stored('c1'), stored('c2', { threadId: 't2' }), stored('c3', { threadId: 't3' }))
    const isFull = () => table.isFull({ ...at }, life)
    expect([isFull(), table.size]).toEqual([true, 3])
    table.revoke('c1')
    at.running = BUCKET - 1
    expect([isFull(), table.size]).toEqual([true, 3])
    at.running = BUCKET
    expect([isFull(), table.size, table.get('c1'), table.thread('t1')]).toEqual([false, 2, undefined, undefined])
    expect([isFull(), table.size]).toEqual([false, 2])
    // What is left is still dropped when its time comes.
    at.running = IDLE + RETENTION + BUCKET
    table.sweep()
    expect(table.size).toBe(0)
  })

  test('is not full below its bound, and then drops nothing', () => {
    const { table, at } = tableOf(stored('c1'), stored('c2'))
    table.revoke('c1')
    expect([table.isFull({ ...at }, life), table.size]).toEqual([false, 2])
  })

  test('learns from an issue how long credentials live', () => {
    const { table, at } = tableOf()
    const other = { ...life }
    table.isFull({ ...at }, other)
    expect(table.life).toBe(other)
  })
})
