import type { Clock } from '@countersign/core'
import { isPromise, withDeadline } from '@countersign/core/gate-kit'
import type { HmacSecretStore, HmacSecretVersion } from './store.js'

const MAX_TTL_MS = 30_000
/** A version that is not in the set asks the store again after so long: at most twice in 30 s. */
const UNKNOWN_VERSION_MS = 15_000
/** When the store fails, what was read goes on for so long, and never past a version's own expiry. */
const STALE_MS = 300_000
const LOAD_TIMEOUT_MS = 1000
/** After a failure the store is left alone for so long. */
const BACK_OFF_MS = 1000
const MAX_CALLERS = 10_000

type Versions = readonly HmacSecretVersion[]

/** What is held of one caller. Times are of the monotonic clock. */
interface Entry {
  versions: Versions | undefined
  loadedMs: number
  failedMs: number
  unknownAskedMs: number
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
  const entry = caches.get(store)?.get(caller)
  if (entry === undefined) {
    const answer = store.versions(caller)
    return isPromise(answer) ? load(addEntry(store, caller), answer, clock) : answer
  }
  const now = clock.monotonic()
  if (isFresh(entry, store, version, now)) return entry.versions as Versions
  // A store that fails is asked behind the back of the requests, which go on with what there is.
  const isFailing = entry.failedMs > entry.loadedMs
  if (isFailing && now - entry.failedMs < BACK_OFF_MS) return staleOr(entry, now, new Error('it failed a moment ago'))
  const loading = entry.loading ?? load(entry, ask(store, caller), clock)
  if (!isFailing || !isUsable(entry, now)) return loading
  loading.catch(() => undefined)
  return entry.versions as Versions
}

function isFresh(entry: Entry, store: HmacSecretStore, version: number | undefined, now: number): boolean {
  const { versions, loadedMs } = entry
  const ttlMs = Math.min(MAX_TTL_MS, (store.cacheSeconds ?? 30) * 1000)
  if (versions === undefined || now - loadedMs >= ttlMs) return false
  if (version === undefined || versions.some((one) => one.version === version)) return true
  if (now - entry.unknownAskedMs < UNKNOWN_VERSION_MS) return true
  entry.unknownAskedMs = now
  return false
}

function addEntry(store: HmacSecretStore, caller: string): Entry {
  const cache = caches.get(store) ?? new Map<string, Entry>()
  caches.set(store, cache)
  const oldest = cache.size >= MAX_CALLERS ? cache.keys().next().value : undefined
  if (oldest !== undefined) cache.delete(oldest)
  const never = Number.NEGATIVE_INFINITY
  const entry = {
    versions: undefined,
    loadedMs: never,
    failedMs: never,
    unknownAskedMs: never,
    loading: undefined,
    generation: 0,
  }
  cache.set(caller, entry)
  return entry
}

/** A store that throws is one that rejects. */
async function ask(store: HmacSecretStore, caller: string): Promise<Versions> {
  return store.versions(caller)
}

function load(entry: Entry, answer: PromiseLike<Versions>, clock: Clock): Promise<Versions> {
  const { generation } = entry
  const startedMs = clock.monotonic()
  const loading = withDeadline(answer, LOAD_TIMEOUT_MS, 'reading secrets').then(
    (versions) => {
      // From the start of the read: a revocation just after it must count within the bound.
      if (entry.generation === generation) Object.assign(entry, { versions, loadedMs: startedMs, loading: undefined })
      return versions
    },
    (error: unknown) => {
      const now = clock.monotonic()
      if (entry.generation === generation) Object.assign(entry, { failedMs: now, loading: undefined })
      return staleOr(entry, now, error)
    },
  )
  entry.loading = loading
  return loading
}

function isUsable({ versions, loadedMs }: Entry, now: number): boolean {
  return versions !== undefined && now - loadedMs < STALE_MS
}

function staleOr(entry: Entry, now: number, cause: unknown): Versions {
  if (isUsable(entry, now)) return entry.versions as Versions
  throw new Error('the secrets cannot be read', { cause })
}
