import type { Clock } from '@countersign/core'
import { isPromise } from '@countersign/core/gate-kit'
import { SHARED_CALLER } from './formats/grammar.js'
import { cachedVersions } from './stores/secret-cache.js'
import { type HmacSecretStore, type HmacSecretVersion, isActive } from './stores/store.js'

/** Unpinned, at most so many versions are tried. */
const MAX_CANDIDATES = 8

/** What may have signed; `'unreadable'` when only rows that do not open could have. */
export interface FoundKeys {
  readonly keys: readonly HmacSecretVersion[]
  readonly hasUnreadable: boolean
  /** Why there is none. */
  readonly missing: 'unknown_key_version' | 'no_active_secret'
}

/** The versions of a caller's secret that could have signed: the pinned one, or the active ones newest first. */
export function findKeys(
  store: HmacSecretStore,
  caller: string,
  version: number | undefined,
  clock: Clock,
): FoundKeys | Promise<FoundKeys> {
  const now = clock.now()
  const own = cachedVersions(store, caller, version, clock)
  const shared = () => cachedVersions(store, SHARED_CALLER, version, clock)
  return isPromise(own)
    ? own.then((versions) => choose(versions, shared, version, now))
    : choose(own, shared, version, now)
}

/** A caller that has, or had, secrets of its own never falls back to the shared one. */
function choose(
  own: readonly HmacSecretVersion[],
  shared: () => readonly HmacSecretVersion[] | Promise<readonly HmacSecretVersion[]>,
  version: number | undefined,
  now: number,
): FoundKeys | Promise<FoundKeys> {
  if (own.length > 0) return select(own, version, now)
  const versions = shared()
  return isPromise(versions) ? versions.then((list) => select(list, version, now)) : select(versions, version, now)
}

function select(versions: readonly HmacSecretVersion[], version: number | undefined, now: number): FoundKeys {
  const active = versions.filter((entry) => isActive(entry, now))
  const wanted = version === undefined ? active : active.filter((entry) => entry.version === version)
  const isKnownVersion = version === undefined || versions.some((entry) => entry.version === version)
  return {
    keys: wanted.filter((entry) => entry.key !== undefined).slice(0, MAX_CANDIDATES),
    hasUnreadable: wanted.some((entry) => entry.key === undefined),
    missing: isKnownVersion ? 'no_active_secret' : 'unknown_key_version',
  }
}
