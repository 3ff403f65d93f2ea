import type { Clock } from '@countersign/core'
import { LRUCache } from 'lru-cache'
import type { KeySource, TrustedKey } from './keys/key-source.js'
import { checkTimes, type Verified } from './token-outcome.js'

/** Verified tokens by digest. What is kept is frozen, and each hit is checked again for all that can change. */
export interface TokenCache {
  /** Undefined when it is not held, or not to be believed any more. `expired` when its time has gone. */
  get(digest: string): Verified | 'expired' | undefined
  set(digest: string, verified: Verified): void
  readonly size: number
}

/** Holds `maxEntries` at most, the least recently used go first; 0 keeps nothing. */
export function createTokenCache(maxEntries: number, clock: Clock, sources: readonly KeySource[]): TokenCache {
  if (maxEntries === 0) return { get: () => undefined, set: () => undefined, size: 0 }
  const entries = new LRUCache<string, Verified>({ max: maxEntries })

  function purge(removed: ReadonlySet<TrustedKey>): void {
    for (const [digest, { key }] of entries.entries()) {
      if (key !== undefined && removed.has(key.key)) entries.delete(digest)
    }
  }
  for (const source of sources) source.onRemoval(purge)

  return {
    get(digest) {
      const entry = entries.get(digest)
      if (entry === undefined) return undefined
      const untimely = checkTimes(entry, clock.now())
      const isKept = untimely === undefined && clock.monotonic() < (entry.keepUntilMs ?? 0)
      if (isKept && (entry.key === undefined || isTrusted(entry.key))) return entry
      entries.delete(digest)
      return untimely === 'expired' ? untimely : undefined
    },
    set(digest, verified) {
      if (clock.monotonic() < (verified.keepUntilMs ?? 0)) entries.set(digest, verified)
    },
    get size() {
      return entries.size
    },
  }
}

/**
 * Asks the source as for a new token, so that a cached one keeps its keys fresh, too. What takes a promise to know is
 * not known: the token is verified again.
 */
function isTrusted({ source, key, algorithm }: NonNullable<Verified['key']>): boolean {
  const answer = source.find(key.kid, algorithm)
  return 'outcome' in answer && answer.outcome === 'found' && answer.keys.includes(key)
}
