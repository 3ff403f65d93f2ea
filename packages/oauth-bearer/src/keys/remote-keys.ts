import type { Clock } from '@countersign/core'
import { BoundedTtlMap, withDeadline } from '@countersign/core/gate-kit'
import { type Circuit, createCircuit } from '../http/circuit.js'
import { createTokenBucket } from '../http/token-bucket.js'
import { MAX_KID_LENGTH } from './key-policy.js'
import type { KeyReport } from './key-report.js'
import { type FindKeys, indexKeys, type KeyAnswer, type KeySource, type TrustedKey } from './key-source.js'

/** A key set as it was loaded. */
export interface LoadedKeys {
  readonly keys: readonly TrustedKey[]
  readonly freshMs: number
  /** How old it was when it was loaded: more than 0 for one from a cache. */
  readonly ageMs: number
}

export interface RemoteKeysSetup {
  readonly clock: Clock
  readonly staleIfErrorMs: number
  /** Asks the issuer. Rejects when it has no answer. */
  readonly fetchKeys: () => Promise<LoadedKeys>
  /** A set that was kept elsewhere; asked once, before the first fetch. Never rejects. */
  readonly seed?: () => Promise<LoadedKeys | undefined>
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
/** How long the issuer's word that it has no such key counts. */
const MISS_MS = 15_000
const MAX_MISSES = 1000
/** How long a request with a known key waits for a set whose freshness has run out. */
const PATIENCE_MS = 250

/**
 * The keys that an issuer publishes. Fresh ones answer at once and are renewed ahead of time; when the issuer fails,
 * known ones go on for `staleIfErrorMs` and no request waits for it; for an unknown `kid` it is asked twice in 30 s at
 * most.
 */
export function remoteKeys({ clock, staleIfErrorMs, fetchKeys, seed, report }: RemoteKeysSetup): KeySource {
  const circuit: Circuit = createCircuit(clock, { threshold: 1, baseMs: 1000, maxMs: 30_000 })
  const bucket = createTokenBucket(clock, UNKNOWN_KID_REFRESHES, UNKNOWN_KID_PERIOD_MS)
  const monotonic = () => clock.monotonic()
  const misses = new BoundedTtlMap<string, true>({ maxEntries: MAX_MISSES, clock: { now: monotonic, monotonic } })
  const listeners: ((removed: ReadonlySet<TrustedKey>) => void)[] = []
  let set: KeySet | undefined
  let refreshing: Promise<Refreshed> | undefined
  /** The refresh that is under way has taken longer than a request waits. */
  let isSlow = false
  let isSeeded = seed === undefined

  function find(kid: string | undefined, algorithm: string): KeyAnswer | Promise<KeyAnswer> {
    const now = clock.monotonic()
    if (set === undefined || now >= set.deadAtMs) {
      if (refreshing === undefined && !circuit.mayTry()) return unavailable()
      return refresh().then((refreshed) => answerAfter(refreshed, kid, algorithm))
    }
    if (now >= set.refreshAtMs && (refreshing !== undefined || circuit.mayTry())) {
      const pending = refresh()
      // Past its freshness a set answers while the issuer fails or is slow. One that answers gets the time to say that it
      // withdrew a key: nobody waits longer than that, and nobody else waits as long.
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

  /** What the keys that are known answer. */
  function ask(kid: string | undefined, algorithm: string): KeyAnswer {
    return set?.find(kid, algorithm) ?? { outcome: 'unknown' }
  }

  function answerNow(kid: string | undefined, algorithm: string): KeyAnswer | Promise<KeyAnswer> {
    const answer = ask(kid, algorithm)
    return answer.outcome === 'unknown' ? findUnknown(kid, algorithm) : answer
  }

  function findUnknown(kid: string | undefined, algorithm: string): KeyAnswer | Promise<KeyAnswer> {
    const name = missName(kid, algorithm)
    // No key that is trusted has so long a name.
    if (name.length > MAX_KID_LENGTH + 16 || misses.get(name) !== undefined) return { outcome: 'unknown' }
    if (refreshing !== undefined) {
      // What is under way may have been answered before this key was published: its "no" is asked once more, if it may be.
      return refreshing.then((refreshed) => {
        const answer = ask(kid, algorithm)
        const isOpen = refreshed !== 'failed' && answer.outcome === 'unknown' && (refreshing !== undefined || mayAsk())
        return isOpen
          ? refresh().then((again) => answerAfter(again, kid, algorithm))
          : answerAfter(refreshed, kid, algorithm)
      })
    }
    if (!circuit.mayTry()) return unavailable()
    if (!bucket.take()) return outOfQuestions()
    return refresh().then((refreshed) => answerAfter(refreshed, kid, algorithm))
  }

  function findMore(tried: readonly TrustedKey[], algorithm: string): KeyAnswer | Promise<KeyAnswer> {
    const name = missName(undefined, algorithm)
    if (misses.get(name) !== undefined) return { outcome: 'unknown' }
    if (refreshing === undefined) {
      if (!circuit.mayTry()) return unavailable()
      if (!bucket.take()) return outOfQuestions()
    }
    return refresh().then((refreshed): KeyAnswer => {
      const answer = ask(undefined, algorithm)
      const more = answer.outcome === 'found' ? answer.keys.filter((key) => !tried.includes(key)) : []
      if (more.length > 0) return { outcome: 'found', keys: more }
      // Only the issuer can say that it has no other.
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
    return { outcome: 'unavailable', retryAfterSeconds: circuit.retryAfterSeconds() }
  }

  function outOfQuestions(): KeyAnswer {
    return { outcome: 'unavailable', retryAfterSeconds: bucket.retryAfterSeconds() }
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
      circuit.succeeded()
      adopt(loaded)
      return 'fetched'
    } catch (error) {
      const isNews = circuit.isHealthy
      circuit.failed()
      if (isNews) report.failed(error, set !== undefined)
      return 'failed'
    }
  }

  function adopt({ keys, freshMs, ageMs }: LoadedKeys): void {
    const loadedMs = clock.monotonic() - ageMs
    const before = set?.keys ?? []
    // A key that stayed the same stays the same object: what it verified goes on.
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
    // That these are gone was said just now: nobody has to ask again.
    for (const { kid } of removed) {
      if (kid !== undefined) misses.set(missName(kid, ''), true, clock.monotonic() + MISS_MS)
    }
    if (before.length > 0 && removed.size + added > 0) report.rotated(added, removed.size)
  }

  return { find, findMore, onRemoval: (listener) => void listeners.push(listener) }
}

/** What is missed is a key for an algorithm, when a token names none. */
function missName(kid: string | undefined, algorithm: string): string {
  return kid === undefined ? `-${algorithm}` : `=${kid}`
}
