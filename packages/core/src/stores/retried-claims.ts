import { randomBytes } from 'node:crypto'
import { systemClock } from '../clock.js'
import { BoundedTtlMap } from './bounded-ttl-map.js'
import { assertTtl, type ReplayStore } from './replay.js'

/** One claim of a {@link ReplayStore} that is asked over a network. */
export interface ClaimAttempt {
  readonly key: string
  readonly ttlMs: number
  /** The same attempt, asked again, must find its own claim, and answer true. */
  readonly attempt: string
  /** To be called before the claim fails although it may be done; `answer` settles with whether it was the first. */
  readonly onUnknown: (answer?: Promise<boolean>) => void
}

/** A claim that failed although it may be done. */
interface UnknownClaim {
  readonly attempt: string
  /** Its answer came late, and said that it was the first. */
  isFresh: boolean
}

/** Claims of unknown outcome that are kept. Beyond it a signature stays used. */
const MAX_UNKNOWN = 10_000
const running = () => systemClock.monotonic()

/**
 * A replay store over a network. `send` answers whether a claim is the first. When it fails and the outcome is unknown, the
 * next claim of the key in this process takes up the same attempt, so the retry that was invited is no replay.
 */
export function retriedClaims(send: (claim: ClaimAttempt) => Promise<boolean>): ReplayStore {
  const unknown = new BoundedTtlMap<string, UnknownClaim>({
    maxEntries: MAX_UNKNOWN,
    clock: { now: running, monotonic: running },
  })

  function keep(key: string, claim: UnknownClaim, ttlMs: number, answer?: Promise<boolean>): void {
    unknown.set(key, claim, running() + ttlMs)
    answer?.then(
      (isFirst) => {
        // Taken meanwhile, or never kept: that request has the outcome, and no other may.
        if (unknown.get(key) !== claim) return
        if (isFirst) claim.isFresh = true
        else unknown.delete(key)
      },
      () => undefined,
    )
  }

  return {
    async claim(key, ttlMs) {
      assertTtl(ttlMs)
      // Taken in the same tick, by one request: its concurrent copies find none, and are copies.
      const before = unknown.get(key)
      unknown.delete(key)
      if (before?.isFresh === true) return 'fresh'
      const attempt = before?.attempt ?? randomBytes(9).toString('base64url')
      let isKept = false
      const onUnknown = (answer?: Promise<boolean>) => {
        isKept = true
        keep(key, { attempt, isFresh: false }, ttlMs, answer)
      }
      try {
        return (await send({ key, ttlMs, attempt, onUnknown })) ? 'fresh' : 'seen'
      } catch (error) {
        if (!isKept && before !== undefined) onUnknown()
        throw error
      }
    },
  }
}
