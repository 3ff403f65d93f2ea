import { isPromise, withDeadline } from '../async.js'
import { systemClock } from '../clock.js'
import { rememberOn } from '../remember-on.js'
import { singleton } from '../singleton.js'
import { BoundedTtlMap } from './bounded-ttl-map.js'
import type { ReplayStore } from './replay.js'
import { UnavailableError } from './unavailable-error.js'

/** A store has a deadline of its own; this one is for a store that never answers. */
const CLAIM_TIMEOUT_MS = 5000
/**
 * What requests have claimed themselves: a second gate on a request's way must not take it for a copy, whichever copy of
 * this package it is from.
 */
const claimed = singleton('claims', () => rememberOn<RequestClaim | undefined>())

/** A request's claims are a list, the last one first. */
interface RequestClaim {
  readonly store: ReplayStore
  readonly key: string
  readonly ttlMs: number
  readonly before: RequestClaim | undefined
}

/** Answers that came after the deadline, and claims that were given back, by store: one later request takes each. */
const late = new WeakMap<ReplayStore, BoundedTtlMap<string, PromiseLike<'fresh' | 'seen'>>>()
const MAX_LATE = 10_000
const running = () => systemClock.monotonic()

/**
 * Claims a key for a request. `'fresh'` for the first request that does, whichever gate on its way asks.
 *
 * @throws what the store throws, and {@link UnavailableError} for any other answer.
 */
export function claimOnce(
  request: object,
  store: ReplayStore,
  key: string,
  ttlMs: number,
): 'fresh' | 'seen' | Promise<'fresh' | 'seen'> {
  const before = claimed.of(request)
  for (let own = before; own !== undefined; own = own.before) if (own.store === store && own.key === key) return 'fresh'
  const answer = takeLate(store, key) ?? store.claim(key, ttlMs)
  const claim = { store, key, ttlMs, before }
  if (!isPromise(answer)) return answered(answer, request, claim)
  return inTime(answer, store, key, ttlMs).then((said) => answered(said, request, claim))
}

function answered(answer: 'fresh' | 'seen', request: object, claim: RequestClaim): 'fresh' | 'seen' {
  if (answer === 'fresh') claimed.set(request, claim)
  else if (answer !== 'seen') throw new UnavailableError('replay_store', 'claim() returned neither fresh nor seen')
  return answer
}

/**
 * Gives back what a request has claimed, when its grant could not be recorded: the retry that the 503 invites is no replay.
 */
export function giveBack(request: object): void {
  for (let own = claimed.of(request); own !== undefined; own = own.before) {
    keepLate(Promise.resolve('fresh'), own.store, own.key, own.ttlMs)
  }
  claimed.set(request, undefined)
}

function keepLate(answer: PromiseLike<'fresh' | 'seen'>, store: ReplayStore, key: string, ttlMs: number): void {
  const kept =
    late.get(store) ?? new BoundedTtlMap({ maxEntries: MAX_LATE, clock: { now: running, monotonic: running } })
  late.set(store, kept)
  kept.set(key, answer, running() + ttlMs)
}

function takeLate(store: ReplayStore, key: string): PromiseLike<'fresh' | 'seen'> | undefined {
  const kept = late.get(store)
  const answer = kept?.get(key)
  kept?.delete(key)
  return answer
}

/** A claim that is still under way at its deadline may be done: the retry that the 503 invites is no replay then. */
async function inTime(
  answer: PromiseLike<'fresh' | 'seen'>,
  store: ReplayStore,
  key: string,
  ttlMs: number,
): Promise<'fresh' | 'seen'> {
  let isSettled = false
  const settle = () => {
    isSettled = true
  }
  answer.then(settle, settle)
  try {
    return await withDeadline(answer, CLAIM_TIMEOUT_MS, 'replay_store')
  } catch (error) {
    if (!isSettled) keepLate(answer, store, key, ttlMs)
    throw error
  }
}
