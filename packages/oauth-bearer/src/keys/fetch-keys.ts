import type { Clock } from '@countersign/core'
import { isBug, withDeadline } from '@countersign/core/gate-kit'
import type { Discovery } from '../http/discovery.js'
import { fetchJson } from '../http/fetch-json.js'
import type { Connect } from '../http/network.js'
import { FetchError } from '../http/request.js'
import type { CachedKeySet, KeyCache } from '../store/port.js'
import { isJsonObject } from '../strict-encoding.js'
import { freshMs } from './freshness.js'
import { trustedKeys } from './key-policy.js'
import type { KeyReport } from './key-report.js'
import type { LoadedKeys, RemoteKeysSetup } from './remote-keys.js'

const MAX_BYTES = 256 * 1024
/** The cache helps a start during an outage. It must not slow down every other start. */
const SEED_TIMEOUT_MS = 1000

/** What {@link fetchKeys} asks. */
export interface FetchKeysSetup {
  readonly issuer: string
  readonly place: Pick<Discovery, 'endpoint' | 'distrust'>
  readonly connect: Connect
  /** For connecting, waiting and the whole body. */
  readonly timeoutMs: number
  readonly algorithms: readonly string[]
  readonly clock: Clock
  readonly keyCache: KeyCache | undefined
  readonly report: KeyReport
}

/** Fetches an issuer's key set, and saves it in the configured cache. */
export function fetchKeys(setup: FetchKeysSetup): Pick<RemoteKeysSetup, 'fetchKeys' | 'seed'> {
  const { issuer, place, connect, timeoutMs, algorithms, clock, keyCache, report } = setup

  async function fetchNow(): Promise<LoadedKeys> {
    try {
      const destination = await place.endpoint('jwks_uri')
      const { json, headers } = await fetchJson(destination, { timeoutMs, maxBytes: MAX_BYTES, connect })
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

  /** No request depends on it: what the cache does not accept now, the next fetch brings. */
  async function save(keySet: CachedKeySet): Promise<void> {
    try {
      await keyCache?.save(issuer, keySet)
    } catch (error) {
      report.cacheFailed(error)
    }
  }

  async function seed(): Promise<LoadedKeys | undefined> {
    let cached: CachedKeySet | undefined
    try {
      cached = await withDeadline(Promise.resolve(keyCache?.load(issuer)), SEED_TIMEOUT_MS, 'keys')
    } catch (error) {
      if (isBug(error)) throw error
      report.cacheFailed(error)
    }
    if (cached === undefined || !isJsonObject(cached.jwks)) return undefined
    const keys = await trustedKeys(cached.jwks, algorithms)
    const ageMs = clock.now() - cached.fetchedAt
    // False for a time in the future, and for NaN.
    return keys !== undefined && ageMs >= 0 ? { keys, freshMs: cached.freshMs, ageMs } : undefined
  }

  return { fetchKeys: fetchNow, seed: keyCache === undefined ? undefined : seed }
}
