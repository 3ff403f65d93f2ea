import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { BoundedTtlMap } from '@countersign/core/gate-kit'
import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { cpuMs } from '../../../test/support/cpu-time.js'
import { fakeClock } from '../../../test/support/fake-clock.js'

const MAX = 8

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

/** What the map must do, as plainly as it can be said. */
interface Entry {
  readonly value: number
  readonly expiresAt: number
  /** It expired once: when the clock goes back, the map may know it still or not. */
  hasLapsed: boolean
}

function expectSame(model: Map<string, Entry>, map: BoundedTtlMap<string, number>, now: number): void {
  for (const entry of model.values()) entry.hasLapsed ||= entry.expiresAt <= now
  const found = new Map(map)
  for (const key of 'abcdefghijkl') {
    const entry = model.get(key)
    if (entry?.hasLapsed === true && entry.expiresAt > now) continue
    const isLive = entry !== undefined && entry.expiresAt > now
    expect(map.get(key)).toBe(isLive ? entry.value : undefined)
    expect(map.expiresAt(key)).toBe(isLive ? entry.expiresAt : undefined)
    expect(found.has(key)).toBe(isLive)
  }
  expect(map.size).toBeLessThanOrEqual(MAX)
  expect(map.size).toBeGreaterThanOrEqual(found.size)
}

const key = fc.constantFrom(...'abcdefghijkl')
const step = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constant('set' as const), key, ttl: fc.integer({ min: -50, max: 4000 }) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant('extend' as const), key, ttl: fc.integer({ min: -50, max: 4000 }) }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('delete' as const), key, ttl: fc.constant(0) }) },
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constant('advance' as const), key, ttl: fc.integer({ min: 0, max: 3000 }) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant('jump' as const), key, ttl: fc.integer({ min: -9000, max: 9000 }) }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('clear' as const), key, ttl: fc.constant(0) }) },
)

describe('the bounded map', () => {
  test('[core-ttl-map-model] does what a plain model does, in any order of calls and whatever the clock does', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const clock = fakeClock()
        const map = new BoundedTtlMap<string, number>({ maxEntries: MAX, clock })
        const model = new Map<string, Entry>()
        steps.forEach(({ do: name, key: at, ttl }, index) => {
          const expiresAt = clock.now() + ttl
          const entry = model.get(at)
          const isLive = entry !== undefined && entry.expiresAt > clock.now()
          const isSure = entry?.hasLapsed !== true
          if (name === 'advance') clock.advance(ttl)
          if (name === 'jump') clock.jump(ttl)
          if (name === 'clear') {
            map.clear()
            model.clear()
          }
          if (name === 'delete') {
            const existed = map.delete(at)
            if (isLive && isSure) expect(existed).toBe(true)
            model.delete(at)
          }
          if (name === 'extend') {
            const isExtended = map.extend(at, expiresAt)
            if (isSure) expect(isExtended).toBe(isLive)
            if (isExtended) model.set(at, { value: (entry as Entry).value, expiresAt, hasLapsed: false })
          }
          if (name === 'set') {
            const isTaken = map.set(at, index, expiresAt)
            // It refuses only when it is full of live entries.
            if (isLive && isSure) expect(isTaken).toBe(true)
            if (isTaken) model.set(at, { value: index, expiresAt, hasLapsed: false })
            else expect(map.size).toBe(MAX)
          }
          expectSame(model, map, clock.now())
        })
      }),
      { numRuns: 150 },
    )
  })

  test('[core-ttl-map-model] never evicts a live entry, and has room again when one expires', () => {
    const clock = fakeClock()
    const map = new BoundedTtlMap<number, number>({ maxEntries: 2, clock })
    expect(map.set(1, 1, clock.now() + 1000)).toBe(true)
    expect(map.set(2, 2, clock.now() + 5000)).toBe(true)
    expect(map.set(3, 3, clock.now() + 5000)).toBe(false)
    expect(map.set(2, 22, clock.now() + 5000)).toBe(true)
    clock.advance(999)
    expect([map.get(1), map.set(3, 3, clock.now() + 5000)]).toEqual([1, false])
    clock.advance(1)
    expect(map.get(1)).toBeUndefined()
    expect(map.set(3, 3, clock.now() + 5000)).toBe(true)
    expect([map.get(2), map.get(3), map.size]).toEqual([22, 3, 2])
  })

  test('frees an entry whose expiry was moved, forward and back', () => {
    const clock = fakeClock()
    const map = new BoundedTtlMap<string, number>({ maxEntries: 2, clock })
    map.set('a', 1, clock.now() + 1000)
    map.set('b', 1, clock.now() + 50_000)
    expect(map.extend('a', clock.now() + 10_000)).toBe(true)
    expect(map.extend('b', clock.now() + 500)).toBe(true)
    clock.advance(1_500)
    map.sweep()
    expect([map.get('a'), map.get('b'), map.size]).toEqual([1, undefined, 1])
    clock.advance(9_000)
    map.sweep()
    expect(map.size).toBe(0)
  })

  test('frees what expires after a clock that was years ahead is set right', () => {
    const clock = fakeClock()
    clock.jump(4 * 365 * 86_400_000)
    const map = new BoundedTtlMap<string, number>({ maxEntries: 1, clock })
    clock.jump(-4 * 365 * 86_400_000)
    map.set('a', 1, clock.now() + 1000)
    clock.advance(3000)
    expect(map.set('b', 2, clock.now() + 1000)).toBe(true)
  })

  test.each<[string, (map: BoundedTtlMap<number, number>, round: number) => void]>([
    [
      'keys that come and go',
      (map, round) => {
        map.set(round, round, 3_600_000)
        map.delete(round)
      },
    ],
    [
      'an expiry that is moved to and fro',
      (map) => {
        map.extend(-1, 3_600_000)
        map.set(-1, 0, 1_800_000)
      },
    ],
    [
      'a value that is set for a shorter time, again and again',
      (map) => {
        map.set(-1, 0, 3_600_000)
        map.set(-1, 0, 1_800_000)
      },
    ],
  ])('does not grow with %s', (_name, work) => {
    const clock = { now: () => 0, monotonic: () => 0 }
    const map = new BoundedTtlMap<number, number>({ maxEntries: 2, clock })
    map.set(-1, 0, 3_600_000)
    collectGarbage()
    const before = process.memoryUsage().heapUsed
    for (let round = 0; round < 700_000; round += 1) work(map, round)
    collectGarbage()
    // A key that stays filed costs 8 bytes or more.
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(3_000_000)
    expect(map.size).toBe(1)
  })

  test('[core-ttl-map-bounded-call] no call is slow when everything expires at once, and all of it is freed soon', async () => {
    const entries = 200_000
    const clock = fakeClock()
    const map = new BoundedTtlMap<number, number>({ maxEntries: entries, clock })
    for (let key = 0; key < entries; key += 1) map.set(key, key, clock.now() + 60_000)
    clock.advance(60_000)
    expect([map.get(0), map.get(entries - 1), [...map].length, map.size]).toEqual([undefined, undefined, 0, entries])

    // Full of expired entries it takes a new one at the first call.
    expect(map.set(-1, 1, clock.now() + 60_000)).toBe(true)
    const took: number[] = []
    let mostRemoved = 0
    while (map.size > entries / 2) {
      const { size } = map
      took.push(cpuMs(() => map.set(-1, 1, clock.now() + 60_000)))
      mostRemoved = Math.max(mostRemoved, size - map.size)
    }
    expect(mostRemoved).toBeLessThanOrEqual(128)
    const total = took.reduce((sum, ms) => sum + ms, 0)
    expect(Math.max(...took)).toBeLessThan(total / 2)

    // No further call is needed.
    while (map.size > 1) await new Promise(setImmediate)
    expect([...map]).toEqual([[-1, 1]])
  })

  test.each([0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY])('cannot be made without a bound: %d', (maxEntries) => {
    expect(() => new BoundedTtlMap({ maxEntries })).toThrow(RangeError)
  })
})
