import { describe, expect, test } from '@jest/globals'
import { fakeClock } from '../../../test/support/fake-clock.js'
import { replayContract } from '../../../test/support/replay-contract.js'
import { memoryReplay, StoreUnavailableError } from '../src/index.js'

describe('the memory replay store', () => {
  test.each(replayContract(() => memoryReplay()))('[core-replay-contract] $title', ({ run }) => run())

  test('[core-memory-replay] answers at once, without a promise', () => {
    expect(memoryReplay().claim('a', 1000)).toBe('fresh')
  })

  test('[core-memory-replay] remembers a claim for exactly its time', () => {
    const clock = fakeClock()
    const store = memoryReplay({ clock })
    store.claim('a', 1000)
    clock.advance(999)
    expect(store.claim('a', 1000)).toBe('seen')
    clock.advance(1)
    expect(store.claim('a', 1000)).toBe('fresh')
  })

  test('[core-memory-replay] never evicts a live claim: full, it is unavailable, until one expires', () => {
    const clock = fakeClock()
    const store = memoryReplay({ maxEntries: 2, clock })
    expect([store.claim('a', 1000), store.claim('b', 60_000)]).toEqual(['fresh', 'fresh'])
    const refused = () => store.claim('c', 1000)
    expect(refused).toThrow(StoreUnavailableError)
    expect(refused).toThrow(expect.objectContaining({ code: 'ERR_STORE_UNAVAILABLE', store: 'replay' }))
    expect([store.claim('a', 1000), store.claim('b', 1000)]).toEqual(['seen', 'seen'])
    clock.advance(3000)
    expect([store.claim('c', 1000), store.claim('b', 1000)]).toEqual(['fresh', 'seen'])
  })
})
