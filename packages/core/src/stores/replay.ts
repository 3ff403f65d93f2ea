import { type Clock, systemClock } from '../clock.js'
import { resolveOptions } from '../options/resolve.js'
import { type OptionRule, option } from '../options/rules.js'
import { type ExpiringRow, ExpiringRows } from './expiring-rows.js'
import { warnOfMemory } from './memory-advice.js'
import { UnavailableError } from './unavailable-error.js'

/**
 * Remembers what was used once: HMAC nonces and DPoP proofs. `claim` answers `'fresh'` exactly once for a key within
 * `ttlMs`, and throws or rejects when it cannot know: with an `UnavailableError` when it cannot be asked, with a
 * `RangeError` when `ttlMs` is not a number above 0, because such a claim protects nothing.
 */
export interface ReplayStore {
  /** `'fresh'` for the first claim of a key within `ttlMs` milliseconds, `'seen'` for every other one. */
  claim(key: string, ttlMs: number): 'fresh' | 'seen' | Promise<'fresh' | 'seen'>
}

/** Options of {@link memoryReplay}. */
export interface MemoryReplayOptions {
  /** Claims that may live at once. Default 1 000 000; beyond it the store is unavailable, it never evicts a live one. */
  readonly maxEntries?: number | undefined
  readonly clock?: Clock | undefined
}

/** How many claims may live at once. */
export const maxClaimsRule: OptionRule<number> = option.integer(1, 2 ** 24).default(1_000_000)
const RULES = {
  maxEntries: maxClaimsRule,
  clock: option.clock().default(systemClock),
}

/**
 * A replay store for one process. Synchronous.
 *
 * @throws {OptionError}
 */
export function memoryReplay(options: MemoryReplayOptions = {}): ReplayStore {
  const { maxEntries, clock } = resolveOptions('memoryReplay', options, RULES)
  warnOfMemory({
    store: 'memoryReplay()',
    keeps: 'used signatures and proofs',
    instead: 'redisReplay(redis) of @countersign/redis',
    atRestart: 'they can be used again while their time window lasts',
  })
  // Of the monotonic clock: a wall clock that jumps ahead and back must not let what was used be used again.
  const monotonic = () => clock.monotonic()
  const claims = new ExpiringRows<string, ExpiringRow<string>>(maxEntries, { now: monotonic, monotonic })
  return {
    claim(key, ttlMs) {
      assertTtl(ttlMs)
      if (claims.get(key) !== undefined) return 'seen'
      if (!claims.add({ key, expiresAt: monotonic() + ttlMs, place: 0 })) {
        throw new UnavailableError('replay_store', `the memory replay store holds ${maxEntries} live claims`)
      }
      return 'fresh'
    },
  }
}

/**
 * For replay stores: a time to live of 0 or less would let every replay through.
 *
 * @throws {RangeError}
 */
export function assertTtl(ttlMs: number): void {
  if (!(ttlMs > 0 && Number.isFinite(ttlMs))) throw new RangeError(`claim: ttlMs must be above 0, got ${ttlMs}`)
}
