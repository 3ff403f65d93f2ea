import type { Clock } from '@countersign/core'
import { BoundedTtlMap, withDeadline } from '@countersign/core/gate-kit'
import { type Circuit, createCircuit } from '../http/circuit.js'
import { createTokenBucket } from '../http/token-bucket.js'
import { MAX_KID_LENGTH } from './key-policy.js'
import { failureOf, type KeyReport } from './key-report.js'
import { type FindKeys, indexKeys, type KeyAnswer, type KeySource, type TrustedKey } from './key-source.js'

/** A key set as it was loaded. Times in milliseconds. */
export interface LoadedKeys {
  readonly keys: readonly TrustedKey[]
  readonly freshMs: number
  /** Its age when it was loaded: above 0 for a set from a cache. */
  readonly ageMs: number
}

/** What {@link remoteKeys} asks and reports to. */
export interface RemoteKeysSetup {
  readonly clock: Clock
  readonly staleIfErrorMs: number
  /** Asks the issuer. Rejects if there is no usable answer. */
  readonly fetchKeys: () => Promise<LoadedKeys>
  /** Loads a set from the cache; called once, before the first fetch. Rejects only with a bug. */
  readonly seed: (() => Promise<LoadedKeys | undefined>) | undefined
  readonly report: KeyReport
}

interface KeySet {
  readonly keys: readonly TrustedKey[]
  readonly find: FindKeys
  readonly refreshAtMs: number
  readonly staleAtMs: number
  readonly deadAtMs: number
}

/** `seeded`: from a cache, without asking the issuer. */
type Refreshed = 'fetched' | 'seeded' | 'failed'

const REFRESH_AHEAD = 0.8
const UNKNOWN_KID_REFRESHES = 2
const UNKNOWN_KID_PERIOD_MS = 30_000
/** How long the issuer's answer that it has no such key is remembered. */
const MISS_MS = 15_000
const MAX_MISSES = 1000
/** How long a request with a known key waits for a new set if the known one is stale. */
const PATIENCE_MS = 250

/**
 * The keys that an issuer publishes. Fresh keys answer immediately and are refreshed ahead of time. While the issuer fails,
 * known keys are used for `staleIfErrorMs` and no request waits. For an unknown `kid` the issuer is asked at most twice at
 * once, then once in 15 s. See decisions 0020 and 0021.
 */
export function remoteKeys({ clock, staleIfErrorMs, fetchKeys, seed, report }: RemoteKeysSetup): KeySource {
  const circuit: Circuit = createCircuit(clock, { threshold: 1, baseMs: 1000, maxMs: 30_000 })
  const bucket = createTokenBucket(clock, UNKNOWN_KID_REFRESHES, UNKNOWN_KID_PERIOD_MS)
  const monotonic = () => clock.monotonic()
  const misses = new BoundedTtlMap<string, true>({ maxEntries: MAX_MISSES, clock: { now: monotonic, monotonic } })
  const listeners: ((removed: ReadonlySet<TrustedKey>) => void)[] = []
  let set: KeySet | undefined
  let refreshing: Promise<Refreshed> | undefined
  /** The current refresh has taken longer than a request waits. */
  let isSlow = false
  let isSeeded = seed === undefined
  /** Why the last refresh failed. */
  let failure: string | undefined

  function find(kid: string | undefined, algorithm: string): KeyAnswer | Promise<KeyAnswer> {
    const now = clock.monotonic()
    if (set === undefined || now >= set.deadAtMs) {
      if (refreshing === undefined && !circuit.mayTry()) return unavailable()
      return refresh().then((refreshed) => answerAfter(refreshed, kid, algorithm))
    }
    if (now >= set.refreshAtMs && (refreshing !== undefined || circuit.mayTry())) {
      const pending = refresh()
      // A stale set answers only while the issuer fails or is slow. A healthy issuer gets a moment to withdraw a key; once
      // that moment has passed, later requests do not wait.
      if (now >= set.staleAtMs && circuit.isHealthy && !isSlow) {
        return withDeadline(pending, PATIENCE_MS, 'the keys').then(
          (refreshed) => answerAfter(refreshed, kid, algorithm),
          () => {
            isSlow = refreshing === pending
            return answerNow(kid, algorithm)
          },
        )
      }
    }
    return answerNow(kid, algorithm)
  }

  /** The answer of the known keys. */
  function ask(kid: string | undefined, algorithm: string): KeyAnswer {
    return set?.find(kid, algorithm) ?? { outcome: 'unknown' }
  }

  function answerNow(kid: string | undefined, algorithm: string): KeyAnswer | Promise<KeyAnswer> {
    const answer = ask(kid, algorithm)
    return answer.outcome === 'unknown' ? findUnknown(kid, algorithm) : answer
  }

  function findUnknown(kid: string | undefined, algorithm: string): KeyAnswer | Promise<KeyAnswer> {
    const name = missName(kid, algorithm)
    // No trusted key has a name this long.
    if (name.length > MAX_KID_LENGTH + 16 || misses.get(name) !== undefined) return { outcome: 'unknown' }
    if (refreshing !== undefined) {
      // The current refresh may have been answered before this key was published: if it has no such key, ask once more.
      return refreshing.then((refreshed) => {
        const answer = ask(kid, algorithm)
        const isOpen = refreshed !== 'failed' && answer.outcome === 'unknown' && (refreshing !== undefined || mayAsk())
        return isOpen
          ? refresh().then((again) => answerAfter(again, kid, algorithm))
          : answerAfter(refreshed, kid, algorithm)
      })
    }
    if (!circuit.mayTry()) return unavailable()
    if (!bucket.take()) return outOfTokens()
    return refresh().then((refreshed) => answerAfter(refreshed, kid, algorithm))
  }

  function findMore(tried: readonly TrustedKey[], algorithm: string): KeyAnswer | Promise<KeyAnswer> {
    const name = missName(undefined, algorithm)
    if (misses.get(name) !== undefined) return { outcome: 'unknown' }
    if (refreshing === undefined) {
      if (!circuit.mayTry()) return unavailable()
      if (!bucket.take()) return outOfTokens()
    }
    return refresh().then((refreshed): KeyAnswer => {
      const answer = ask(undefined, algorithm)
      const more = answer.outcome === 'found' ? answer.keys.filter((key) => !tried.includes(key)) : []
      if (more.length > 0) return { outcome: 'found', keys: more }
      // Only the issuer can say that it has no other key.
      if (refreshed === 'failed') return unavailable()
      misses.set(name, true, clock.monotonic() + MISS_MS)
      return { outcome: 'unknown' }
    })
  }

  function mayAsk(): boolean {
    return circuit.mayTry() && bucket.take()
  }

  function answerAfter(
    refreshed: Refreshed,
    kid: string | undefined,
    algorithm: string,
  ): KeyAnswer | Promise<KeyAnswer> {
    if (set === undefined || clock.monotonic() >= set.deadAtMs) return unavailable()
    const answer = set.find(kid, algorithm)
    if (answer.outcome !== 'unknown') return answer
    // Only the issuer can say that it has no such key.
    if (refreshed === 'failed') return unavailable()
    if (refreshed === 'seeded') return findUnknown(kid, algorithm)
    misses.set(missName(kid, algorithm), true, clock.monotonic() + MISS_MS)
    return answer
  }

  function unavailable(): KeyAnswer {
    return { outcome: 'unavailable', retryAfterSeconds: circuit.retryAfterSeconds(), failure }
  }

  function outOfTokens(): KeyAnswer {
    return { outcome: 'unavailable', retryAfterSeconds: bucket.retryAfterSeconds(), failure: 'refresh_limit' }
  }

  function refresh(): Promise<Refreshed> {
    refreshing ??= load().finally(() => {
      refreshing = undefined
      isSlow = false
    })
    return refreshing
  }

  async function load(): Promise<Refreshed> {
    if (!isSeeded) {
      isSeeded = true
      const seeded = await seed?.()
      if (seeded !== undefined && seeded.ageMs < seeded.freshMs + staleIfErrorMs) {
        adopt(seeded)
        if (seeded.ageMs < seeded.freshMs) return 'seeded'
      }
    }
    try {
      const loaded = await fetchKeys()
      if (!circuit.isHealthy) report.recovered()
      circuit.succeeded()
      adopt(loaded)
      return 'fetched'
    } catch (error) {
      const isNew = circuit.isHealthy
      failure = failureOf(error)
      circuit.failed()
      if (isNew) report.failed(error, set !== undefined)
      return 'failed'
    }
  }

  function adopt({ keys, freshMs, ageMs }: LoadedKeys): void {
    const loadedMs = clock.monotonic() - ageMs
    const before = set?.keys ?? []
    // An unchanged key stays the same object, so the tokens that it verified stay cached.
    const after = keys.map((key) => before.find((old) => old.fingerprint === key.fingerprint) ?? key)
    const removed = new Set(before.filter((key) => !after.includes(key)))
    const added = after.filter((key) => !before.includes(key)).length
    set = {
      keys: after,
      find: indexKeys(after),
      refreshAtMs: loadedMs + freshMs * REFRESH_AHEAD,
      staleAtMs: loadedMs + freshMs,
      deadAtMs: loadedMs + freshMs + staleIfErrorMs,
    }
    if (removed.size > 0) for (const listener of listeners) listener(removed)
    // The issuer has just said that these are gone: no need to ask again.
    for (const { kid } of removed) {
      if (kid !== undefined) misses.set(missName(kid, ''), true, clock.monotonic() + MISS_MS)
    }
    if (before.length > 0 && removed.size + added > 0) report.rotated(added, removed.size)
  }

  return { find, findMore, onRemoval: (listener) => void listeners.push(listener) }
}

/** For a token that names no key, a key for its algorithm is missing. */
function missName(kid: string | undefined, algorithm: string): string {
  return kid === undefined ? `-${algorithm}` : `=${kid}`
}
