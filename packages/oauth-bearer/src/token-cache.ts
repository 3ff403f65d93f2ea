import { hash } from 'node:crypto'
import type { Clock } from '@countersign/core'
import type { Denied } from '@countersign/core/gate-kit'
import { LRUCache } from 'lru-cache'
import { checkTimes } from './claims.js'
import type { KeySource, TrustedKey } from './keys/key-source.js'
import type { Signer, Verified } from './outcome.js'
import type { PresentedToken } from './read.js'
import type { OAuthBearerReason } from './reasons.js'

/** Verified tokens by {@link digestOf}. Values are frozen, and each hit is checked for all that can change. */
export interface TokenCache {
  /** Undefined if the token is not cached or must be verified again; a refusal if it has expired. */
  get(digest: string): Verified | Denied<OAuthBearerReason> | undefined
  set(digest: string, verified: Verified): void
  readonly size: number
}

/** The full SHA-256 of a token, preceded by its scheme unless that is Bearer. */
export function digestOf({ scheme, token }: PresentedToken): string {
  const digest = hash('sha256', token, 'base64')
  return scheme === 'bearer' ? digest : `${scheme}:${digest}`
}

/** Issuers with entries, at most: more than any gate has at once. */
const MAX_ISSUERS = 10_000

/**
 * Makes a cache of at most `maxEntries` for each issuer, from which the least recently used goes first: one issuer's tokens
 * displace no other's. 0 caches nothing.
 */
export function createTokenCache(maxEntries: number, clock: Clock, sources: readonly KeySource[]): TokenCache {
  if (maxEntries === 0) return { get: () => undefined, set: () => undefined, size: 0 }
  /** Where each digest is. */
  const places = new Map<string, LRUCache<string, Verified>>()
  const issuers = new LRUCache<string, LRUCache<string, Verified>>({
    maxSize: MAX_ISSUERS,
    sizeCalculation: () => 1,
    dispose: (entries) => entries.clear(),
  })

  function entriesOf(issuer: string): LRUCache<string, Verified> {
    const known = issuers.get(issuer)
    if (known !== undefined) return known
    const entries = new LRUCache<string, Verified>({
      max: maxEntries,
      dispose: (_verified, digest) => void places.delete(digest),
    })
    issuers.set(issuer, entries)
    return entries
  }

  function purge(removed: ReadonlySet<TrustedKey>): void {
    for (const [digest, entries] of places) {
      const signer = entries.peek(digest)?.signer
      if (signer !== undefined && removed.has(signer.key)) entries.delete(digest)
    }
  }
  for (const source of sources) source.onRemoval(purge)

  return {
    get(digest) {
      const entries = places.get(digest)
      const entry = entries?.get(digest)
      if (entries === undefined || entry === undefined) return undefined
      const untimely = checkTimes(entry, entry.toleranceMs, clock.now())
      const isKept = untimely === undefined && clock.monotonic() < (entry.keepUntilMs ?? 0)
      if (isKept && (entry.signer === undefined || isTrusted(entry.signer))) return entry
      entries.delete(digest)
      return untimely?.reason === 'expired' ? untimely : undefined
    },
    set(digest, verified) {
      if (clock.monotonic() >= (verified.keepUntilMs ?? 0)) return
      const entries = entriesOf(verified.verdict.principal.issuer)
      entries.set(digest, verified)
      places.set(digest, entries)
    },
    get size() {
      return places.size
    },
  }
}

/**
 * Asks the source as for a new token, so that cached tokens keep its keys fresh, too. If the answer takes a promise, the
 * token is verified again.
 */
function isTrusted({ source, key, algorithm }: Signer): boolean {
  const answer = source.find(key.kid, algorithm)
  return 'outcome' in answer && answer.outcome === 'found' && answer.keys.includes(key)
}
