import type { Clock } from '@countersign/core'
import { withDeadline } from '@countersign/core/gate-kit'
import type { Discovery } from '../discovery.js'
import { fetchJson } from '../http/fetch-json.js'
import { FetchError } from '../http/request.js'
import { freshMs } from './freshness.js'
import type { CachedKeySet, KeyCache } from './key-cache.js'
import { trustedKeys } from './key-policy.js'
import type { LoadedKeys, RemoteKeysSetup } from './remote-keys.js'

const TIMEOUT_MS = 3000
const MAX_BYTES = 256 * 1024
/** The cache is to save a start in an outage, not to slow down every other one. */
const SEED_TIMEOUT_MS = 1000

export interface FetchKeysSetup {
  readonly issuer: string
  readonly place: Discovery
  readonly algorithms: readonly string[]
  readonly clock: Clock
  readonly keyCache?: KeyCache
}

/** Fetches an issuer's key set, and keeps it in the cache that was configured. */
export function fetchKeys(setup: FetchKeysSetup): Pick<RemoteKeysSetup, 'fetchKeys' | 'seed'> {
  const { issuer, place, algorithms, clock, keyCache } = setup

  async function fetchNow(): Promise<LoadedKeys> {
    try {
      const destination = await place.endpoint('jwks_uri')
      const { json, headers } = await fetchJson(destination, { timeoutMs: TIMEOUT_MS, maxBytes: MAX_BYTES })
      const keys = await trustedKeys(json, algorithms)
      if (keys === undefined) throw new FetchError('invalid', 200, 'keys')
      const fresh = freshMs(headers)
      void save({ jwks: json, fetchedAt: clock.now(), freshMs: fresh })
      return { keys, freshMs: fresh, ageMs: 0 }
    } catch (error) {
      place.distrust()
      throw error
    }
  }

  /** The cache is an extra: what it does not take now, the next fetch brings. */
  async function save(keySet: CachedKeySet): Promise<void> {
    try {
      await keyCache?.save(issuer, keySet)
    } catch {}
  }

  async function seed(): Promise<LoadedKeys | undefined> {
    try {
      const cached = await withDeadline(Promise.resolve(keyCache?.load(issuer)), SEED_TIMEOUT_MS, 'the key cache')
      if (cached === undefined) return undefined
      const keys = await trustedKeys(cached.jwks, algorithms)
      const ageMs = clock.now() - cached.fetchedAt
      // Not for a time in the future, and not for what is no number.
      return keys !== undefined && ageMs >= 0 ? { keys, freshMs: cached.freshMs, ageMs } : undefined
    } catch {
      return undefined
    }
  }

  return { fetchKeys: fetchNow, seed: keyCache === undefined ? undefined : seed }
}
