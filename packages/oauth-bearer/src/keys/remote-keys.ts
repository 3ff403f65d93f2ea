import type { Clock } from '@countersign/core'
import { andThen, BoundedTtlMap, withDeadline } from '@countersign/core/gate-kit'
import { type Circuit, createCircuit } from '../http/circuit.js'
import { createRequestLimit } from '../http/request-limit.js'
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
const UNKNOWN_KEY_REFRESHES = 2
const UNKNOWN_KEY_PERIOD_MS = 30_000
/**
 * Within this time a key may still be on its way: published a moment after its first token, or by one server of a CDN before
 * the others. Until then "no such key" is the issuer's word for one moment.
 */
const LATE_MS = 30_000
/** How long the issuer's word that it has no such key is remembered after that. */
const MISS_MS = 15_000
const MAX_MISSES = 1000
/** What the issuer said of a key that it does not have. Times on the monotonic clock. */
interface Miss {
  readonly firstMs: number
  /** Until when the issuer is not asked again. */
  readonly settledUntilMs: number
}

/** How long a request with a known key waits for a new set if the known one is stale. */
const PATIENCE_MS = 250

/**
 * The keys that an issuer publishes. Fresh keys answer immediately and are refreshed ahead of time. While the issuer fails,
 * known keys are used for `staleIfErrorMs` and no request waits. For a key that is not known the issuer is asked at most
 * twice in any 30 s. See decisions 0020 and 0021.
 */
export function remoteKeys({ clock, staleIfErrorMs, fetchKeys, seed, report }: RemoteKeysSetup): KeySource {
  const circuit: Circuit = createCircuit(clock, { threshold: 1, baseMs: 1000, maxMs: 30_000 })
  const limit = createRequestLimit(clock, UNKNOWN_KEY_REFRESHES, UNKNOWN_KEY_PERIOD_MS)
  const monotonic = () => clock.monotonic()
  const misses = new BoundedTtlMap<string, Miss>({ maxEntries: MAX_MISSES, clock: { now: monotonic, monotonic } })
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
    if (answer.outcome === 'unknown') return findUnknown(kid, algorithm)
    if (answer.outcome !== 'wrong_algorithm') return answer
    // The issuer may have put a key of another kind under an old name.
    return andThen<KeyAnswer, KeyAnswer>(findMore([], kid, algorithm), (more) =>
      more.outcome === 'unknown' ? answer : more,
    )
  }

  function findUnknown(kid: string | undefined, algorithm: string): KeyAnswer | Promise<KeyAnswer> {
    const name = missName(kid, algorithm)
    // No trusted key has a name this long.
    if (name.length > MAX_KID_LENGTH + 16 || isSettled(name)) return { outcome: 'unknown' }
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
    if (!limit.take()) return overLimit()
    return refresh().then((refreshed) => answerAfter(refreshed, kid, algorithm))
  }

  function findMore(
    tried: readonly TrustedKey[],
    kid: string | undefined,
    algorithm: string,
  ): KeyAnswer | Promise<KeyAnswer> {
    const name = kid === undefined ? missName(kid, algorithm) : `!${algorithm} ${kid}`
    if (isSettled(name)) return { outcome: 'unknown' }
    if (refreshing === undefined) {
      if (!circuit.mayTry()) return unavailable()
      // A name that the issuer uses was looked for in its last answer. Forgeries under it must not look like an outage.
      if (!limit.take()) return kid === undefined ? overLimit() : { outcome: 'unknown' }
    }
    return refresh().then((refreshed): KeyAnswer => {
      const answer = ask(kid, algorithm)
      const more = answer.outcome === 'found' ? answer.keys.filter((key) => !tried.includes(key)) : []
      if (more.length > 0) return { outcome: 'found', keys: more }
      // Only the issuer can say that it has no other key.
      if (refreshed === 'failed') return unavailable()
      settle(name)
      return { outcome: 'unknown' }
    })
  }

  /** The issuer has just said that it does not have this key. */
  function miss(name: string): void {
    const now = clock.monotonic()
    const firstMs = misses.get(name)?.firstMs ?? now
    if (now - firstMs >= LATE_MS) settle(name)
    else misses.set(name, { firstMs, settledUntilMs: now }, now + 2 * LATE_MS)
  }

  /** As {@link miss}, of a key that is not on its way. */
  function settle(name: string): void {
    const now = clock.monotonic()
    misses.set(name, { firstMs: now - LATE_MS, settledUntilMs: now + MISS_MS }, now + 2 * LATE_MS)
  }

  function isSettled(name: string): boolean {
    return clock.monotonic() < (misses.get(name)?.settledUntilMs ?? Number.NEGATIVE_INFINITY)
  }

  function mayAsk(): boolean {
    return circuit.mayTry() && limit.take()
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
    miss(missName(kid, algorithm))
    return answer
  }

  function unavailable(): KeyAnswer {
    return { outcome: 'unavailable', retryAfterSeconds: circuit.retryAfterSeconds(), failure }
  }

  function overLimit(): KeyAnswer {
    return { outcome: 'unavailable', retryAfterSeconds: limit.retryAfterSeconds(), failure: 'refresh_limit' }
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
    for (const { kid } of removed) if (kid !== undefined) settle(missName(kid, ''))
    if (before.length > 0 && removed.size + added > 0) report.rotated(added, removed.size)
  }

  return { find, findMore, onRemoval: (listener) => void listeners.push(listener) }
}

/** For a token that names no key, a key for its algorithm is missing. */
function missName(kid: string | undefined, algorithm: string): string {
  return kid === undefined ? `-${algorithm}` : `=${kid}`
}
