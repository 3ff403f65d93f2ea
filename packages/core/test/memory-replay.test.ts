import { memoryReplay, UnavailableError } from '@countersign/core'
import { describe, expect, test } from '@jest/globals'
import { fakeClock } from '../../../test/support/fake-clock.js'
import { replayStoreContract } from '../../../test/support/replay-contract.js'

describe('the memory replay store', () => {
  test.each(replayStoreContract(() => memoryReplay()))('[core-replay-contract] $title', ({ run }) => run())

  test('[core-memory-replay] answers immediately, without a promise', () => {
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
    expect(refused).toThrow(UnavailableError)
    expect(refused).toThrow(
      expect.objectContaining({ code: 'ERR_COUNTERSIGN_UNAVAILABLE', dependency: 'replay_store' }),
    )
    expect([store.claim('a', 1000), store.claim('b', 1000)]).toEqual(['seen', 'seen'])
    clock.advance(3000)
    expect([store.claim('c', 1000), store.claim('b', 1000)]).toEqual(['fresh', 'seen'])
  })

  test.each([
    ['ahead, and is put right', [3_600_000, -3_600_000]],
    ['back', [-3_600_000]],
  ])('[core-memory-replay] remembers as long when the wall clock jumps %s', (_what, jumps) => {
    const clock = fakeClock()
    const store = memoryReplay({ clock, maxEntries: 2 })
    store.claim('a', 10_000)
    for (const jump of jumps) {
      clock.jump(jump)
      // Each claim sweeps.
      expect(store.claim('b', 10_000)).toBe(jump === jumps[0] ? 'fresh' : 'seen')
      expect(store.claim('a', 10_000)).toBe('seen')
    }
    clock.advance(9999)
    expect(store.claim('a', 10_000)).toBe('seen')
    clock.advance(1)
    expect(store.claim('a', 10_000)).toBe('fresh')
    clock.advance(11_000)
    expect([store.claim('c', 10_000), store.claim('d', 10_000)]).toEqual(['fresh', 'fresh'])
  })
})
