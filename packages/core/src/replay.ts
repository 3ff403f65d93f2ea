import { BoundedTtlMap } from './bounded-ttl-map.js'
import { type Clock, systemClock } from './clock.js'
import { StoreUnavailableError } from './store-unavailable-error.js'

/**
 * Remembers what was used once: HMAC nonces and DPoP proofs. `claim` answers `'fresh'` exactly once for a key within
 * `ttlMs`, and throws or rejects when it cannot know.
 */
export interface ReplayStore {
  claim(key: string, ttlMs: number): 'fresh' | 'seen' | Promise<'fresh' | 'seen'>
}

export interface MemoryReplayOptions {
  /** Claims that may live at once. Default 1 000 000; beyond it the store is unavailable, it never evicts a live one. */
  readonly maxEntries?: number
  readonly clock?: Clock
}

/** A replay store for one process. Synchronous. */
export function memoryReplay({ maxEntries = 1_000_000, clock = systemClock }: MemoryReplayOptions = {}): ReplayStore {
  const claims = new BoundedTtlMap<string, true>({ maxEntries, clock })
  return {
    claim(key, ttlMs) {
      if (claims.get(key) !== undefined) return 'seen'
      if (!claims.set(key, true, clock.now() + ttlMs)) {
        throw new StoreUnavailableError('replay', `the memory replay store holds ${maxEntries} live claims`)
      }
      return 'fresh'
    },
  }
}
