import assert from 'node:assert/strict'
import type { ReplayStore } from '@countersign/core'
import { type ContractCase, uniqueName as unique } from './contract.js'

/**
 * What every replay store keeps to. `makeStore` is called once for each case; the store may hold what earlier cases
 * left in it.
 *
 * @example
 * for (const { title, run } of replayStoreContract(() => myStore())) test(title, run)
 */
export function replayStoreContract(makeStore: () => ReplayStore | Promise<ReplayStore>): readonly ContractCase[] {
  return [
    {
      title: 'a key is fresh once, then seen',
      run: async () => {
        const store = await makeStore()
        const key = unique('once')
        assert.equal(await store.claim(key, 60_000), 'fresh')
        assert.equal(await store.claim(key, 60_000), 'seen')
        assert.equal(await store.claim(key, 60_000), 'seen')
      },
    },
    {
      title: 'different keys do not know of each other',
      run: async () => {
        const store = await makeStore()
        const key = unique('several')
        for (const each of [key, `${key}x`, `${key} `, `${key}:`, `${key}{a}`, `${key}\u0000`, `${key}é`]) {
          assert.equal(await store.claim(each, 60_000), 'fresh', JSON.stringify(each))
          assert.equal(await store.claim(each, 60_000), 'seen', JSON.stringify(each))
        }
      },
    },
    {
      title: 'of many claims of one key at once, exactly one is fresh',
      run: async () => {
        const store = await makeStore()
        const key = unique('race')
        const results = await Promise.all(Array.from({ length: 50 }, async () => store.claim(key, 60_000)))
        assert.equal(results.filter((result) => result === 'fresh').length, 1)
        assert.equal(results.filter((result) => result === 'seen').length, 49)
      },
    },
    {
      title: 'a claim is forgotten after its time, and not before',
      run: async () => {
        const store = await makeStore()
        const [long, short] = [unique('long'), unique('short')]
        const startedMs = performance.now()
        assert.equal(await store.claim(long, 60_000), 'fresh')
        assert.equal(await store.claim(short, 100), 'fresh')
        let result = await store.claim(short, 100)
        // A claim that is seen must not make the first one live longer.
        while (result === 'seen' && performance.now() - startedMs < 10_000) {
          await new Promise((resolve) => setTimeout(resolve, 20))
          result = await store.claim(short, 100)
        }
        assert.equal(result, 'fresh')
        assert.ok(performance.now() - startedMs >= 95, 'forgotten too early')
        assert.equal(await store.claim(long, 60_000), 'seen')
      },
    },
    {
      title: 'a fraction of a millisecond is time enough to be remembered for',
      run: async () => {
        const store = await makeStore()
        assert.equal(await store.claim(unique('fraction'), 0.4), 'fresh')
        assert.equal(await store.claim(unique('fraction'), 1000.5), 'fresh')
      },
    },
    {
      title: 'a key of 4 KiB is as good as a short one',
      run: async () => {
        const store = await makeStore()
        const key = unique('k'.repeat(4096))
        assert.equal(await store.claim(key, 60_000), 'fresh')
        assert.equal(await store.claim(key, 60_000), 'seen')
      },
    },
    {
      title: 'a claim for no time is a mistake, and not fresh',
      run: async () => {
        const store = await makeStore()
        for (const ttlMs of [0, -1, Number.NaN, Number.POSITIVE_INFINITY]) {
          await assert.rejects(async () => store.claim(unique('none'), ttlMs), RangeError)
        }
      },
    },
  ]
}
