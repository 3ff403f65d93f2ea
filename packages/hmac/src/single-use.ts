import { hash } from 'node:crypto'
import { type ReplayStore, UnavailableError } from '@countersign/core'
import { andThen, isPromise, singleton, withDeadline } from '@countersign/core/gate-kit'
import type { SignatureClaim } from './formats/format.js'
import type { ProvenMac } from './mac.js'

/** A store has a deadline of its own; this one is for a store that never answers. */
const CLAIM_TIMEOUT_MS = 5000
/** Sets the keys that are made of a MAC apart. */
const MAC = Buffer.from('mac\0')
/**
 * What requests have claimed themselves: a second gate on a request's way must not take it for a copy, whichever copy of
 * this package it is from.
 */
const claimed = singleton('hmac-claims', () => new WeakMap<object, readonly RequestClaim[]>())

interface RequestClaim {
  readonly store: ReplayStore
  readonly key: string
}

/** By what a used signature is remembered: a digest, so that nothing of the request can be read from the store. */
export function replayKey({ caller, timestamp, nonce }: SignatureClaim, { version, mac }: ProvenMac): string {
  const what = nonce === undefined ? Buffer.concat([MAC, mac]) : JSON.stringify([caller, version, timestamp, nonce])
  return hash('sha256', what, 'base64url')
}

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
  const own = claimed.get(request) ?? []
  if (own.some((claim) => claim.store === store && claim.key === key)) return 'fresh'
  const answer = store.claim(key, ttlMs)
  return andThen(isPromise(answer) ? withDeadline(answer, CLAIM_TIMEOUT_MS, 'replay_store') : answer, (said) => {
    if (said === 'fresh') claimed.set(request, [...own, { store, key }])
    else if (said !== 'seen') throw new UnavailableError('replay_store', 'claim() answered neither fresh nor seen')
    return said
  })
}
