import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { UnavailableError } from '@countersign/core'
import {
  countUsage,
  countUsageInto,
  isPromise,
  isUnavailable,
  type LegacyUse,
  PARTITIONS,
  partitionOf,
  secretsEqual,
  settle,
  sha256,
  systemClock,
  withDeadline,
} from '@countersign/core/gate-kit'
import { describe, expect, jest, test } from '@jest/globals'
import fc from 'fast-check'

describe('a deadline', () => {
  test('[core-deadline] gives what the work gives, or what it fails with', async () => {
    expect(await withDeadline(Promise.resolve(7), 1000, 'work')).toBe(7)
    await expect(withDeadline(Promise.reject(new RangeError('no')), 1000, 'work')).rejects.toThrow(RangeError)
  })

  test('[core-deadline] ends the wait for work that hangs, with an error that names it', async () => {
    const never = new Promise<number>(() => undefined)
    await expect(withDeadline(never, 10, 'key_store')).rejects.toMatchObject({
      name: 'UnavailableError',
      code: 'ERR_COUNTERSIGN_UNAVAILABLE',
      dependency: 'key_store',
      isTimeout: true,
      message: 'key_store did not answer within 10 ms',
    })
    await expect(withDeadline(never, -3.7, 'work')).rejects.toThrow('work did not answer within 0 ms')
  })

  test('[core-deadline] that has passed swallows what the work rejects with later', async () => {
    let fail: (error: Error) => void = () => undefined
    const work = new Promise<number>((_resolve, reject) => {
      fail = reject
    })
    await expect(withDeadline(work, 5, 'work')).rejects.toThrow(UnavailableError)
    fail(new Error('late'))
    // Jest fails a test from which a rejection escapes.
    await new Promise((resolve) => setImmediate(resolve))
    await expect(work).rejects.toThrow('late')
  })

  test('[core-deadline] leaves no timer behind', async () => {
    jest.useFakeTimers()
    try {
      await withDeadline(Promise.resolve(1), 60_000, 'work')
      await withDeadline(Promise.reject(new Error('no')), 60_000, 'work').catch(() => undefined)
      expect(jest.getTimerCount()).toBe(0)
    } finally {
      jest.useRealTimers()
    }
  })
})

describe('the comparison of secrets', () => {
  test('[core-constant-time] is true for equal text or bytes alone', () => {
    expect(secretsEqual('abc', 'abc')).toBe(true)
    expect(secretsEqual('abc', Buffer.from('abc'))).toBe(true)
    expect(secretsEqual('', '')).toBe(true)
    expect(secretsEqual('\u00e9', 'e\u0301')).toBe(false)
    fc.assert(
      fc.property(fc.string(), fc.string(), (a, b) => secretsEqual(a, b) === Buffer.from(a).equals(Buffer.from(b))),
    )
  })

  test('[core-constant-time] takes secrets of any length, equal or not, without throwing', () => {
    expect(secretsEqual('a', 'a'.repeat(100_000))).toBe(false)
    expect(secretsEqual('', 'a')).toBe(false)
  })

  test('[core-constant-time] goes over digests of one length', () => {
    expect(sha256('abc')).toEqual(createHash('sha256').update('abc').digest())
    expect([sha256('').length, sha256('a'.repeat(1000)).length]).toEqual([32, 32])
  })
})

describe('settle', () => {
  test('continues immediately with a value, and with what was thrown', () => {
    expect(
      settle(
        () => 1,
        (value) => value + 1,
        () => 0,
      ),
    ).toBe(2)
    const thrown = settle<number, string>(
      () => {
        throw new Error('no')
      },
      () => 'value',
      (error) => (error as Error).message,
    )
    expect(thrown).toBe('no')
  })

  test('waits for a promise, and takes what it rejects with', async () => {
    const later = settle(
      async () => 1,
      (value) => value + 1,
      () => 0,
    )
    expect(isPromise(later)).toBe(true)
    expect(await later).toBe(2)
    const rejected = settle<number, string>(
      async () => Promise.reject(new Error('no')),
      () => 'value',
      (error) => (error as Error).message,
    )
    expect(await rejected).toBe('no')
  })

  test('never hands what onValue throws to onError', async () => {
    const boom = () => {
      throw new Error('from onValue')
    }
    const onError = () => 'swallowed'
    expect(() => settle(() => 1, boom, onError)).toThrow('from onValue')
    await expect(settle(async () => 1, boom, onError)).rejects.toThrow('from onValue')
  })

  test('knows a promise from a value', () => {
    const thenable = Object.assign(() => undefined, Promise.prototype)
    expect([
      isPromise(Promise.resolve()),
      isPromise(undefined),
      isPromise(null),
      isPromise('x'),
      isPromise({}),
    ]).toEqual([true, false, false, false, false])
    expect(isPromise(thenable)).toBe(false)
  })
})

test('[core-thrown] an unavailable dependency is an error with a code, its name, its cause and when to ask again', () => {
  const cause = new Error('ECONNREFUSED')
  const error = new UnavailableError('replay_store', 'Redis cannot be reached', { cause, retryAfterSeconds: 7 })
  expect(error).toMatchObject({
    name: 'UnavailableError',
    code: 'ERR_COUNTERSIGN_UNAVAILABLE',
    dependency: 'replay_store',
    retryAfterSeconds: 7,
    isTimeout: false,
    cause,
  })
  expect(new UnavailableError('keys', 'slow', { isTimeout: true }).isTimeout).toBe(true)
  expect(isUnavailable(error)).toBe(true)
  expect(isUnavailable({ code: 'ERR_COUNTERSIGN_UNAVAILABLE' })).toBe(true)
  const asFunction = Object.assign(() => undefined, { code: 'ERR_COUNTERSIGN_UNAVAILABLE' })
  const others = [undefined, null, 'text', {}, new Error('no'), asFunction, new Proxy({}, { get: () => assert.fail() })]
  expect(others.filter(isUnavailable)).toEqual([])
})

test('[core-thrown] an unavailable dependency is recognised by another copy of the package, whatever code it was given', () => {
  const error = Object.assign(new UnavailableError('keys', 'down'), { code: 'ERR_OF_THE_APP' })
  expect(isUnavailable(error)).toBe(true)
  expect(Reflect.get(error, Symbol.for('countersign.unavailable/1'))).toBe(true)
})

test('[core-partitions] texts are spread over 16 partitions, by a function that never changes', () => {
  expect(PARTITIONS).toBe(16)
  expect(['', 'a', 'thread-1', 'thread-2', 'é', '🔑'].map(partitionOf)).toEqual([5, 12, 15, 2, 4, 11])
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      const partition = partitionOf(text)
      return Number.isInteger(partition) && partition >= 0 && partition < 16
    }),
  )
  const counts = new Array<number>(16).fill(0)
  for (let index = 0; index < 16_000; index += 1)
    counts[partitionOf(`key-${index}`)] = (counts[partitionOf(`key-${index}`)] ?? 0) + 1
  expect(Math.min(...counts)).toBeGreaterThan(700)
})

describe('usage of a legacy credential', () => {
  test('[core-usage] is counted by caller, with the time it was seen last', () => {
    let now = 1000
    const counter = countUsage(() => now)
    counter.count('a', true)
    counter.count('b', false)
    now = 2000
    counter.count('a', false)
    expect(counter.usage()).toEqual([
      { caller: 'a', accepted: 1, refused: 1, lastSeenAt: 2000 },
      { caller: 'b', accepted: 0, refused: 1, lastSeenAt: 1000 },
    ])
  })

  test('[core-usage] is kept in a store beyond this process, and while the store fails', async () => {
    const kept: LegacyUse[] = []
    let isDown = true
    const store = {
      async add(uses: readonly LegacyUse[]) {
        if (isDown) throw new Error('down')
        kept.push(...uses)
      },
      read: async () => kept,
    }
    let now = 1000
    const counter = countUsageInto(store, () => now)
    counter.count('a', true)
    await expect(counter.usage()).rejects.toThrow('down')
    now = 2000
    counter.count('a', false)
    counter.count('b', true)
    isDown = false
    expect(await counter.usage()).toEqual([
      { caller: 'a', accepted: 1, refused: 1, lastSeenAt: 2000 },
      { caller: 'b', accepted: 1, refused: 0, lastSeenAt: 2000 },
    ])
    // By itself, too, within a second or so.
    counter.count('c', true)
    while (kept.length < 3) await new Promise((resolve) => setTimeout(resolve, 10))
    expect(kept[2]).toEqual({ caller: 'c', accepted: 1, refused: 0, lastSeenAt: 2000 })
    expect(await counter.usage()).toHaveLength(3)
  })

  test('[core-usage] counts no new caller beyond its bound, and still counts those it knows', () => {
    const counter = countUsage(() => 0, 2)
    for (const caller of ['a', 'b', 'c', '__proto__', 'a']) counter.count(caller, true)
    expect(counter.usage().map(({ caller, accepted }) => [caller, accepted])).toEqual([
      ['a', 2],
      ['b', 1],
    ])
  })
})

test("the system clock gives the time of day, and a time that doesn't go back", () => {
  expect(Math.abs(systemClock.now() - Date.now())).toBeLessThan(1000)
  const first = systemClock.monotonic()
  expect(systemClock.monotonic()).toBeGreaterThanOrEqual(first)
})
