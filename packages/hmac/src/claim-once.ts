import { hash } from 'node:crypto'
import type { ReplayStore } from '@countersign/core'
import { denied, granted, isPromise, settle, type VerdictDetail, unavailable, withDeadline } from '@countersign/core/gate-kit'
import type { Request } from 'express'
import type { Attempt } from './authenticate.js'
import type { HmacVerdict } from './reasons.js'

/** Machines' clocks may differ by so much. */
const SLACK_SECONDS = 120
/** A store has a deadline of its own; this one is for a store that never answers. */
const CLAIM_TIMEOUT_MS = 5000
/** Sets the keys that are made of a MAC apart. */
const MAC = Buffer.from('mac\0')
/** What a request itself has claimed: another gate on its way must not take it for a copy. */
const claimed = new WeakMap<Request, { readonly store: ReplayStore; readonly key: string }[]>()

/** Last step: the signature is good; is this the first time that it is used? */
export function claimOnce(attempt: Attempt, version: number, mac: Buffer): HmacVerdict | Promise<HmacVerdict> {
  const { request, options, format, claim } = attempt
  const { caller } = claim
  const detail: VerdictDetail = {
    ...attempt.detail,
    credential: { id: `${caller}/${version}`, version },
    attributes: { ...attempt.detail.attributes, key_version: version },
  }
  const accept = (): HmacVerdict =>
    granted({ kind: 'hmac', id: caller, caller, keyVersion: version, format: format.name }, detail)
  if (claim.isRepeatable) return accept()
  const { replay: store, clock } = options
  const key = replayKey(attempt, version, mac)
  if (claimed.get(request)?.some((entry) => entry.store === store && entry.key === key) === true) return accept()
  const startedMs = clock.monotonic()
  // Constant: one computed from the verifier's own clock would reopen a replay when clocks differ.
  const ttlMs = (format.windowBackSeconds + format.windowAheadSeconds + SLACK_SECONDS) * 1000
  const cannotTell = (): HmacVerdict =>
    unavailable('replay_store', { detail: { ...detail, storeMs: clock.monotonic() - startedMs } })
  return settle<'fresh' | 'seen', HmacVerdict>(
    () => {
      const answer = store.claim(key, ttlMs)
      return isPromise(answer) ? withDeadline(answer, CLAIM_TIMEOUT_MS, 'claiming a signature') : answer
    },
    (answer) => {
      if (answer === 'seen') return denied('replayed', { detail })
      if (answer !== 'fresh') return cannotTell()
      const entry = { store, key }
      const list = claimed.get(request)
      if (list === undefined) claimed.set(request, [entry])
      else list.push(entry)
      return accept()
    },
    cannotTell,
  )
}

function replayKey({ claim }: Attempt, version: number, mac: Buffer): string {
  const { caller, timestamp, nonce } = claim
  const what = nonce === undefined ? Buffer.concat([MAC, mac]) : JSON.stringify([caller, version, timestamp, nonce])
  return hash('sha256', what, 'base64url')
}
