import { LruMap } from '@countersign/core/gate-kit'
import { expect, test } from '@jest/globals'
import fc from 'fast-check'
import { cpuMs } from '../../../test/support/cpu-time.js'

const MAX = 4

/** What the map must do, as plainly as it can be said: the newest last. */
class Model {
  entries: [string, number][] = []

  find(key: string): number | undefined {
    return this.entries.find(([name]) => name === key)?.[1]
  }

  remove(key: string): void {
    this.entries = this.entries.filter(([name]) => name !== key)
  }

  put(key: string, value: number): void {
    this.remove(key)
    this.entries = [...this.entries, [key, value] as [string, number]].slice(-MAX)
  }
}

const step = fc.record({
  call: fc.constantFrom('set', 'set', 'set', 'get', 'get', 'peek', 'delete', 'clear'),
  key: fc.constantFrom(...'abcdefg'),
})

test('[core-lru-map-model] does what a plain model does, in any order of calls', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const map = new LruMap<string, number>(MAX)
      const model = new Model()
      steps.forEach(({ call, key }, index) => {
        const known = model.find(key)
        if (call === 'set') {
          map.set(key, index)
          model.put(key, index)
        }
        if (call === 'get') {
          expect(map.get(key)).toBe(known)
          if (known !== undefined) model.put(key, known)
        }
        if (call === 'peek') expect(map.peek(key)).toBe(known)
        if (call === 'delete') {
          expect(map.delete(key)).toBe(known !== undefined)
          model.remove(key)
        }
        if (call === 'clear') {
          map.clear()
          model.entries = []
        }
        // `peek` is no use, so that looking changes nothing.
        for (const name of 'abcdefg') expect(map.peek(name)).toBe(model.find(name))
        expect(map.size).toBe(model.entries.length)
      })
    }),
    { numRuns: 300 },
  )
})

test('[core-lru-map-model] a flood of new keys costs no more in a large full map than in a small one', () => {
  const flood = (maxEntries: number) => {
    const map = new LruMap<number, number>(maxEntries)
    for (let key = 0; key < maxEntries; key += 1) map.set(key, key)
    const took = cpuMs(() => {
      for (let key = maxEntries; key < maxEntries + 60_000; key += 1) map.set(key, key)
    })
    expect([map.size, map.peek(60_000), map.peek(59_999)]).toEqual([maxEntries, 60_000, undefined])
    return took
  }
  flood(1000)
  const [small, large] = [0, 1, 2].reduce(
    ([least, most]) => [Math.min(least, flood(1000)), Math.min(most, flood(20_000))] as [number, number],
    [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY] as [number, number],
  )
  // With a `Map` whose keys are inserted again it is 20 times as much.
  expect(large).toBeLessThan(10 * small)
})

test.each([0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY])('cannot be made without a bound: %d', (maxEntries) => {
  expect(() => new LruMap(maxEntries)).toThrow(RangeError)
})
