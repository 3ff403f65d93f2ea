import type { Clock } from '@countersign/core'
import { isPromise, withDeadline } from '@countersign/core/gate-kit'
import type { HmacSecretStore, HmacSecretVersion } from './port.js'

const MAX_TTL_MS = 30_000
/** A version that is not in the set makes the store be asked again after so long: at most twice in 30 s. */
const UNKNOWN_VERSION_MS = 15_000
/** While the store fails, what was read is used for so long, and never past a version's own expiry. */
const STALE_MS = 300_000
const LOAD_TIMEOUT_MS = 1000
/** After a failure the store is not asked for so long. */
const BACK_OFF_MS = 1000
const MAX_CALLERS = 10_000

type Versions = readonly HmacSecretVersion[]

/** What is held of one caller. Times are of the monotonic clock. */
interface Entry {
  versions: Versions | undefined
  loadedMs: number
  failedMs: number
  /** What the store threw then. */
  failure: unknown
  unknownAskedMs: number
  loading: Promise<Versions> | undefined
  /** Grows with each change: a load that began before it is not kept. */
  generation: number
}

const caches = new WeakMap<HmacSecretStore, Map<string, Entry>>()

/** Forgets what was read of a caller, so that a change takes effect immediately in this process. */
export function forgetCaller(store: HmacSecretStore, caller: string): void {
  const entry = caches.get(store)?.get(caller)
  if (entry === undefined) return
  entry.generation += 1
  entry.versions = undefined
  entry.loading = undefined
}

/**
 * All versions of a caller. The answers of a store that makes no promise are not cached; all others are, for
 * `cacheSeconds`, the empty one too, with one question at a time. Throws or rejects with what the store threw when it
 * fails and nothing recent enough is held.
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
  // A store that fails is asked in the background, while requests use what there is.
  const isFailing = entry.failedMs > entry.loadedMs
  if (isFailing && now - entry.failedMs < BACK_OFF_MS) return staleOr(entry, now)
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
    failure: undefined,
    unknownAskedMs: never,
    loading: undefined,
    generation: 0,
  }
  cache.set(caller, entry)
  return entry
}

/** Makes a throw a rejection. */
async function ask(store: HmacSecretStore, caller: string): Promise<Versions> {
  return store.versions(caller)
}

function load(entry: Entry, answer: PromiseLike<Versions>, clock: Clock): Promise<Versions> {
  const { generation } = entry
  const startedMs = clock.monotonic()
  const loading = withDeadline(answer, LOAD_TIMEOUT_MS, 'secret_store').then(
    (versions) => {
      // From the start of the read: a revocation just after it must count within the bound.
      if (entry.generation === generation) Object.assign(entry, { versions, loadedMs: startedMs, loading: undefined })
      return versions
    },
    (failure: unknown) => {
      const now = clock.monotonic()
      if (entry.generation === generation) Object.assign(entry, { failedMs: now, failure, loading: undefined })
      return staleOr({ ...entry, failure }, now)
    },
  )
  entry.loading = loading
  return loading
}

function isUsable({ versions, loadedMs }: Entry, now: number): boolean {
  return versions !== undefined && now - loadedMs < STALE_MS
}

/** @throws what the store threw last, when nothing recent enough is held. */
function staleOr(entry: Entry, now: number): Versions {
  if (isUsable(entry, now)) return entry.versions as Versions
  throw entry.failure
}
