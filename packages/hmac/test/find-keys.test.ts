import { createSecretKey } from 'node:crypto'
import { type HmacSecretStore, type HmacSecretVersion, isActive } from '@countersign/hmac/store'
import { describe, expect, test } from '@jest/globals'
import { fakeClock } from '../../../test/support/fake-clock.js'
import { findKeys, hasEnded, isKnownCaller } from '../src/store/find-keys.js'

const clock = fakeClock()
const NOW = clock.now()
const SHARED = '*shared*'

function row(caller: string, version: number, rest: Partial<HmacSecretVersion> = {}): HmacSecretVersion {
  return {
    ...{
      caller,
      version,
      key: createSecretKey(Buffer.alloc(32, version)),
      notBefore: NOW - 1000,
      createdAt: NOW - 1000,
    },
    ...{ expiresAt: undefined, revokedAt: undefined, isPending: false, ...rest },
  }
}

/** What is found for the caller `a` of these rows, newest first. */
function find(rows: readonly HmacSecretVersion[], version?: number) {
  const store = {
    versions: (caller: string) => rows.filter((one) => one.caller === caller),
  } as unknown as HmacSecretStore
  const found = findKeys(store, 'a', version, clock)
  if (found instanceof Promise) throw new Error('a store without promises needs none')
  const { keys, ...rest } = found
  return { keys: keys.map((key) => `${key.caller}/${key.version}`), ...rest }
}

const ACTIVE = { hasUnreadable: false, missing: 'no_active_secret' }
const ENDED = { revokedAt: NOW - 1 }
const accepting = { acceptsShared: true }

describe("a caller's keys", () => {
  test('are the active ones, in their order; of a pinned version that one', () => {
    const rows = [row('a', 3), row('a', 2, ENDED), row('a', 1, { expiresAt: NOW + 1 })]
    expect(find(rows)).toEqual({ keys: ['a/3', 'a/1'], ...ACTIVE, secrets: 'own' })
    expect(find(rows, 1)).toEqual({ keys: ['a/1'], ...ACTIVE, secrets: 'own' })
  })

  test('are none of a version that has ended, and of one that is not there, and the two are told apart', () => {
    const rows = [row('a', 3), row('a', 2, ENDED)]
    expect(find(rows, 2)).toEqual({ keys: [], ...ACTIVE, secrets: 'own' })
    expect(find(rows, 4)).toEqual({ keys: [], ...ACTIVE, missing: 'unknown_key_version', secrets: 'own' })
    expect(find([row('a', 2, ENDED)])).toEqual({ keys: [], ...ACTIVE, secrets: 'own' })
  })

  test('are eight at most, of those that open', () => {
    const rows = Array.from({ length: 10 }, (_, at) => row('a', 10 - at, at === 0 ? { key: undefined } : {}))
    expect(find(rows)).toMatchObject({ keys: [9, 8, 7, 6, 5, 4, 3, 2].map((version) => `a/${version}`) })
  })

  test('may have been one that does not open: but none that has ended, and none but a pinned one', () => {
    const closed = { key: undefined }
    expect(find([row('a', 2), row('a', 1, closed)])).toMatchObject({ keys: ['a/2'], hasUnreadable: true })
    expect(find([row('a', 1, closed)], 1)).toMatchObject({ keys: [], hasUnreadable: true })
    expect(find([row('a', 2), row('a', 1, closed)], 2)).toMatchObject({ keys: ['a/2'], hasUnreadable: false })
    expect(find([row('a', 2), row('a', 1, { ...closed, ...ENDED })])).toMatchObject({ hasUnreadable: false })
  })
})

describe('the shared secret', () => {
  test('counts for a caller that has none of its own, and for no other', () => {
    expect(find([row(SHARED, 1)])).toEqual({ keys: ['*shared*/1'], ...ACTIVE, secrets: 'shared' })
    for (const rest of [{}, ENDED, { acceptsShared: false }]) {
      expect(find([row('a', 1, rest), row(SHARED, 1)])).toMatchObject({ secrets: 'own' })
    }
  })

  test('counts behind those of a caller that accepts it, of whichever version that was said', () => {
    for (const rows of [
      [row('a', 2), row('a', 1, accepting)],
      [row('a', 2, accepting), row('a', 1)],
    ]) {
      const keys = ['a/2', 'a/1', '*shared*/1']
      expect(find([...rows, row(SHARED, 1)])).toEqual({ keys, ...ACTIVE, secrets: 'own shared' })
    }
    const ended = [row('a', 2), row('a', 1, { ...accepting, ...ENDED }), row(SHARED, 1)]
    expect(find(ended)).toMatchObject({ keys: ['a/2', '*shared*/1'], secrets: 'own shared' })
  })

  test('does not when every version of the caller has ended: revoking them stops it', () => {
    const own = [row('a', 2, { ...accepting, expiresAt: NOW }), row('a', 1, { ...accepting, ...ENDED })]
    expect(find([...own, row(SHARED, 1)])).toEqual({ keys: [], ...ACTIVE, secrets: 'own' })
    const early = row('a', 3, { ...accepting, notBefore: NOW + 1 })
    expect(find([early, row(SHARED, 1)])).toMatchObject({ keys: ['*shared*/1'], secrets: 'own shared' })
  })

  test('that does not open is an outage where it counts, and so is one of the caller beside it', () => {
    const closed = row(SHARED, 1, { key: undefined })
    expect(find([row('a', 2, accepting), closed])).toMatchObject({ keys: ['a/2'], hasUnreadable: true })
    expect(find([row('a', 2), closed])).toMatchObject({ hasUnreadable: false })
    const own = row('a', 2, { ...accepting, key: undefined })
    expect(find([own, row(SHARED, 1)])).toMatchObject({ keys: ['*shared*/1'], hasUnreadable: true })
  })

  test.each([
    [2, 'no_active_secret'],
    [1, 'no_active_secret'],
    [9, 'unknown_key_version'],
  ])('and its own: version %i, of which neither verifies, is %s', (version, missing) => {
    const rows = [row('a', 3, accepting), row('a', 2, ENDED), row(SHARED, 1, ENDED)]
    expect(find(rows, version)).toEqual({ keys: [], hasUnreadable: false, missing, secrets: 'own shared' })
  })
})

describe('a version', () => {
  test('is active from its beginning to its end, which it is not any more', () => {
    const rest = { createdAt: NOW - 1000, notBefore: NOW, expiresAt: NOW + 10 }
    const active = [NOW - 1, NOW, NOW + 9, NOW + 10].map((now) => isActive(row('a', 1, rest), now))
    expect(active).toEqual([false, true, true, false])
  })

  test('that was valid when it was made stays so when the clock is put back', () => {
    for (const createdAt of [NOW, NOW + 1]) {
      expect(isActive(row('a', 1, { createdAt, notBefore: NOW }), NOW - 3_600_000)).toBe(true)
    }
    expect(isActive(row('a', 1, { createdAt: NOW, notBefore: NOW, ...ENDED }), NOW)).toBe(false)
  })

  test('has ended when it is revoked, whatever its end and the moment of the revocation', () => {
    expect(hasEnded(row('a', 1, { revokedAt: NOW + 5000, expiresAt: NOW + 9000 }), NOW)).toBe(true)
    expect(hasEnded(row('a', 1), Number.MAX_SAFE_INTEGER)).toBe(false)
  })
})

test('a known caller is one of the list, or where there is none, one that the store names', () => {
  const store = { knows: (name: string) => name === 'b' } as unknown as HmacSecretStore
  expect(['a', 'b'].map((name) => isKnownCaller(name, new Set(['a']), store))).toEqual([true, false])
  expect(['a', 'b'].map((name) => isKnownCaller(name, undefined, store))).toEqual([false, true])
  expect(isKnownCaller('a', undefined, {} as HmacSecretStore)).toBe(false)
})
