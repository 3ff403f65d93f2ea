import { describe, expect, test } from '@jest/globals'
import { resolveLife } from '../src/registry/life.js'
import {
  type Aliveness,
  cappedExpiry,
  type Entry,
  entriesOf,
  expiryDeadline,
  idleDeadline,
  isRevoked,
  isWanted,
  latenessOf,
  leave,
  lifted,
  recordOf,
  type Scope,
  slid,
  standingOf,
  type Thread,
  tokenStanding,
  touched,
} from '../src/store/memory/entry.js'

// Idle after 600 s and the minute by which that is noticed late, expired after 10,000 s.
const COALESCE = 60_000
const IDLE = 600_000 + COALESCE
const MAXIMUM = 10_000_000
const lifeOf = (more: object = {}, revivesIdle = false) =>
  resolveLife(
    'test',
    {
      idleTimeoutSeconds: 600,
      maximumLifetimeSeconds: 10_000,
      absoluteLifetimeSeconds: undefined,
      slideOn: 'both',
      ...more,
    },
    revivesIdle,
  )
const life = lifeOf()

const at = (now: number, running = now, wall = now) => ({ now, running, wall })
const scope = (isRevoked = false): Scope => ({ id: 'x', isRevoked, entries: 1 })
const thread = (alive?: Aliveness): Thread => ({ id: 't1', root: scope(), alive, newest: undefined })

/** Idle after the running time 1000, expired after the moment 5000. */
const entry = (more: Partial<Entry> = {}): Entry => ({
  id: 'c1',
  digest: '',
  thread: thread(),
  provider: { ...scope(), id: 'p1' },
  session: undefined,
  older: undefined,
  capabilities: ['a'],
  issuedAt: 100,
  absolute: undefined,
  expires: 5000,
  idle: 1000,
  usableUntil: undefined,
  holder: undefined,
  isRevoked: false,
  ...more,
})

describe('the standing of a credential', () => {
  test.each([
    [at(1000), 'live'],
    [at(1000, 1001), 'idle'],
    [at(5000, 1000), 'live'],
    [at(5001, 1000), 'expired'],
    [at(5001, 1001), 'expired'],
  ])('by its own deadlines, at %j: %s', (moment, standing) => {
    expect(standingOf(entry(), moment, life)).toBe(standing)
  })

  test('ends with its overlap, a millisecond later', () => {
    const superseded = entry({ usableUntil: 500 })
    expect([standingOf(superseded, at(500), life), standingOf(superseded, at(501), life)]).toEqual([
      'live',
      'superseded',
    ])
    expect(standingOf(superseded, at(9000), life)).toBe('superseded')
  })

  test.each<[string, Partial<Entry>]>([
    ['itself', { isRevoked: true }],
    ['its thread', { thread: { ...thread(), root: scope(true) } }],
    ['its provider', { provider: scope(true) }],
    ['its session', { session: scope(true) }],
  ])('is revoked with %s, whatever else it is', (_what, more) => {
    const revoked = entry({ session: scope(), usableUntil: 1, ...more })
    expect([isRevoked(revoked), standingOf(revoked, at(9000), life)]).toEqual([true, 'revoked'])
  })

  test('is not revoked with a session that stands, or with none', () => {
    expect([isRevoked(entry()), isRevoked(entry({ session: scope() }))]).toEqual([false, false])
  })

  test('of an alias is its holder’s, unless the alias itself is revoked', () => {
    const holder = entry({ id: 'c2', idle: 2000 })
    expect(tokenStanding(entry({ holder }), at(1500), life)).toBe('live')
    expect(tokenStanding(entry({ holder, provider: scope(true), usableUntil: 1 }), at(1500), life)).toBe('live')
    expect(tokenStanding(entry({ holder, isRevoked: true }), at(1500), life)).toBe('revoked')
    expect(tokenStanding(entry({ holder: entry({ isRevoked: true }) }), at(1), life)).toBe('revoked')
    expect(tokenStanding(entry(), at(1001), life)).toBe('idle')
  })

  test('is wanted while it is live, or idle and can be revived', () => {
    const wanted = (of: Entry, moment: ReturnType<typeof at>, revives: boolean) =>
      isWanted(of, moment, lifeOf({}, revives))
    expect([wanted(entry(), at(1000), false), wanted(entry(), at(1001), false)]).toEqual([true, false])
    expect([wanted(entry(), at(1001), true), wanted(entry(), at(5001), true)]).toEqual([true, false])
    expect(wanted(entry({ isRevoked: true }), at(1), true)).toBe(false)
  })

  test('is late by running time when idle, and by the clock when expired', () => {
    expect(latenessOf(entry(), at(9000, 1400), 'idle', life)).toBe(400)
    expect(latenessOf(entry(), at(5300, 9000), 'expired', life)).toBe(300)
    for (const standing of ['live', 'revoked', 'superseded'] as const) {
      expect(latenessOf(entry(), at(9000), standing, life)).toBeUndefined()
    }
  })
})

describe('a thread that its host keeps alive', () => {
  const alive: Aliveness = { fromRunning: 900, from: 800, until: 3000, touchedAt: 2000 }
  const kept = (more: Partial<Entry> = {}) => entry({ thread: thread(alive), ...more })

  test('keeps its credentials', () => {
    expect([idleDeadline(kept(), life), expiryDeadline(kept(), life)]).toEqual([3000, 2000 + MAXIMUM])
    expect([standingOf(kept(), at(3000), life), standingOf(kept(), at(3001), life)]).toEqual(['live', 'idle'])
    expect(lifted(kept(), life)).toEqual({ idle: 3000, expires: 2000 + MAXIMUM })
    expect(lifted(entry(), life)).toEqual({ idle: 1000, expires: 5000 })
  })

  test('shortens no deadline, and keeps none beyond its absolute lifetime', () => {
    expect(idleDeadline(kept({ idle: 4000 }), life)).toBe(4000)
    expect(expiryDeadline(kept({ expires: 3000 + MAXIMUM }), life)).toBe(3000 + MAXIMUM)
    expect(expiryDeadline(kept({ absolute: 7000 }), life)).toBe(7000)
    expect(expiryDeadline(kept({ absolute: 4000 }), life)).toBe(5000)
  })

  test.each<[string, Partial<Entry>, boolean]>([
    ['was idle at its end', { idle: 900 }, true],
    ['was idle before', { idle: 899 }, false],
    ['expired at its beginning', { expires: 800 }, true],
    ['had expired before', { expires: 799 }, false],
  ])('revives none that %s: lifted %j', (_what, more, isLifted) => {
    const one = kept(more)
    expect([idleDeadline(one, life) === 3000, expiryDeadline(one, life) === 2000 + MAXIMUM]).toEqual([
      isLifted,
      isLifted,
    ])
  })

  test('keeps none where a touch does not count', () => {
    const onUse = lifeOf({ slideOn: 'use' })
    expect([idleDeadline(kept(), onUse), expiryDeadline(kept(), onUse)]).toEqual([1000, 5000])
  })

  test('is touched for as long as a use would keep it', () => {
    expect(touched(thread(), at(2000, 500), life)).toEqual({
      fromRunning: 500,
      from: 2000,
      until: 500 + IDLE,
      touchedAt: 2000,
    })
  })

  test('stays alive from its first touch on, when no touch comes too late', () => {
    const known = { fromRunning: 0, from: 0, until: IDLE, touchedAt: 0 }
    const later = (moment: ReturnType<typeof at>) => touched(thread(known), moment, life)
    expect(later(at(COALESCE - 1))).toBeUndefined()
    expect(later(at(COALESCE))).toEqual({ ...known, until: IDLE + COALESCE, touchedAt: COALESCE })
    expect(later(at(MAXIMUM, IDLE))).toMatchObject({ fromRunning: 0, from: 0 })
    expect(later(at(IDLE, IDLE + 1))).toMatchObject({ fromRunning: IDLE + 1, from: IDLE })
    expect(later(at(MAXIMUM + 1, IDLE))).toMatchObject({ fromRunning: IDLE, from: MAXIMUM + 1 })
  })
})

describe('a use', () => {
  test('moves both deadlines, when one moves by a minute or more', () => {
    const used = entry({ idle: IDLE, expires: MAXIMUM })
    expect(slid(used, at(COALESCE - 1), life)).toBeUndefined()
    expect(slid(used, at(COALESCE), life)).toEqual({ idle: IDLE + COALESCE, expires: MAXIMUM + COALESCE })
    expect(slid(used, at(COALESCE, 0), life)).toEqual({ idle: IDLE, expires: MAXIMUM + COALESCE })
    expect(slid(used, at(0, COALESCE), life)).toEqual({ idle: IDLE + COALESCE, expires: MAXIMUM })
  })

  test('moves none back, and none beyond the absolute lifetime', () => {
    const far = entry({ idle: 10 * IDLE, expires: 10 * MAXIMUM })
    expect(slid(far, at(1000), life)).toBeUndefined()
    expect(slid(entry({ absolute: 6000 }), at(4000), life)).toEqual({ idle: 4000 + IDLE, expires: 6000 })
    expect(slid(entry({ absolute: 4000 }), at(4000), life)).toMatchObject({ expires: 5000 })
  })

  test('writes down what a touch has lent', () => {
    const alive = { fromRunning: 0, from: 0, until: 5 * IDLE, touchedAt: 0 }
    expect(slid(entry({ thread: thread(alive) }), at(1000), life)?.idle).toBe(5 * IDLE)
  })

  test('gives its lifetime from then on, and no more than the absolute one', () => {
    expect(cappedExpiry({ absolute: undefined }, 7, life)).toBe(7 + MAXIMUM)
    expect([cappedExpiry({ absolute: 8 }, 7, life), cappedExpiry({ absolute: 9 + MAXIMUM }, 7, life)]).toEqual([
      8,
      7 + MAXIMUM,
    ])
  })
})

test('what callers are told is by the wall clock, whatever the computer slept', () => {
  const told = recordOf(entry({ session: { ...scope(), id: 's1' } }), at(2000, 400, 9000.5), life)
  expect(told).toEqual({
    credentialId: 'c1',
    threadId: 't1',
    providerInstanceId: 'p1',
    providerSessionId: 's1',
    capabilities: ['a'],
    issuedAt: 100,
    expiresAt: 5000 + 7000.5,
    idleAt: 9600,
  })
  expect(recordOf(entry(), at(0), life).providerSessionId).toBeUndefined()
})

test('a thread has its entries from the oldest on, and keeps the others when one leaves', () => {
  const own = thread()
  const [one, two, three] = ['c1', 'c2', 'c3'].map((id) => entry({ id, thread: own })) as [Entry, Entry, Entry]
  Object.assign(own, { newest: three })
  Object.assign(three, { older: two })
  Object.assign(two, { older: one })
  expect([entriesOf(own), entriesOf(undefined)]).toEqual([[one, two, three], []])
  leave(two)
  expect([entriesOf(own), two.older]).toEqual([[one, three], undefined])
  // One that has left already.
  leave(two)
  expect(entriesOf(own)).toEqual([one, three])
  leave(three)
  expect([entriesOf(own), three.older]).toEqual([[one], undefined])
  leave(one)
  expect(entriesOf(own)).toEqual([])
})
