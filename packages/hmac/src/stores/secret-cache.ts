import { type Clock, isPromise, withDeadline } from '@countersign/core'
import type { HmacSecretStore, HmacSecretVersion } from './store.js'

const MAX_TTL_MS = 30_000
/** A version that is not in the set asks again after so long: at most twice in 30 s. */
const UNKNOWN_VERSION_MS = 15_000
/** When the store fails, what was read goes on for so long, and never past a version's own expiry. */
const STALE_MS = 300_000
const LOAD_TIMEOUT_MS = 1000
/** After a failure the store is left alone for so long. */
const BACK_OFF_MS = 1000
const MAX_CALLERS = 10_000

type Versions = readonly HmacSecretVersion[]

interface Entry {
  versions: Versions | undefined
  loadedMs: number
  failedMs: number
  loading: Promise<Versions> | undefined
  /** Grows with each change: a load that began before it is not kept. */
  generation: number
}

const caches = new WeakMap<HmacSecretStore, Map<string, Entry>>()

/** Forgets what was read of a caller, so that a change counts at once in this process. */
export function forgetCaller(store: HmacSecretStore, caller: string): void {
  const entry = caches.get(store)?.get(caller)
  if (entry === undefined) return
  entry.generation += 1
  entry.versions = undefined
  entry.loading = undefined
}

/**
 * All versions of a caller. What a store answers without a promise is not kept; everything else is for `cacheSeconds`,
 * single-flight, the empty answer too. Throws or rejects when the store fails and nothing recent enough is held.
 */
export function cachedVersions(
  store: HmacSecretStore,
  caller: string,
  version: number | undefined,
  clock: Clock,
): Versions | Promise<Versions> {
  let cache = caches.get(store)
  const entry = cache?.get(caller)
  if (cache === undefined || entry === undefined) {
    const answer = store.versions(caller)
    if (!isPromise(answer)) return answer
    if (cache === undefined) {
      cache = new Map()
      caches.set(store, cache)
    }
    const oldest = cache.size >= MAX_CALLERS ? cache.keys().next().value : undefined
    if (oldest !== undefined) cache.delete(oldest)
    const made: Entry = {
      versions: undefined,
      loadedMs: Number.NEGATIVE_INFINITY,
      failedMs: Number.NEGATIVE_INFINITY,
      loading: undefined,
      generation: 0,
    }
    cache.set(caller, made)
    return load(made, answer, clock)
  }
  const now = clock.monotonic()
  const { versions } = entry
  if (versions !== undefined) {
    const age = now - entry.loadedMs
    const isKnown = version === undefined || versions.some((one) => one.version === version)
    const ttlMs = Math.min(MAX_TTL_MS, (store.cacheSeconds ?? 30) * 1000)
    if (age < (isKnown ? ttlMs : Math.min(ttlMs, UNKNOWN_VERSION_MS))) return versions
  }
  if (now - entry.failedMs < BACK_OFF_MS) return staleOr(entry, now, new Error('the store failed a moment ago'))
  return entry.loading ?? load(entry, store.versions(caller), clock)
}

function load(entry: Entry, answer: Versions | Promise<Versions>, clock: Clock): Promise<Versions> {
  const { generation } = entry
  const startedMs = clock.monotonic()
  const loading = withDeadline(Promise.resolve(answer), LOAD_TIMEOUT_MS, 'reading secrets').then(
    (versions) => {
      if (entry.generation === generation) {
        // From the start of the read: a revocation just after it must count within the bound.
        Object.assign(entry, { versions, loadedMs: startedMs, loading: undefined })
      }
      return versions
    },
    (error: unknown) => {
      if (entry.generation === generation) Object.assign(entry, { failedMs: clock.monotonic(), loading: undefined })
      return staleOr(entry, clock.monotonic(), error)
    },
  )
  entry.loading = loading
  return loading
}

function staleOr({ versions, loadedMs }: Entry, now: number, error: unknown): Versions {
  if (versions !== undefined && now - loadedMs < STALE_MS) return versions
  throw error
}
