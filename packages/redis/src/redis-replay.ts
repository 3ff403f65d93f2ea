import { randomBytes } from 'node:crypto'
import type { ReplayStore } from '@countersign/core'
import { assertTtl, BoundedTtlMap, partitionOf, systemClock } from '@countersign/core/gate-kit'
import type { RedisClient, RedisStoreOptions } from './client.js'
import { keyTag } from './key-tag.js'
import { defineScript } from './script.js'
import { createScriptRunner } from './script-runner.js'

// The value is the attempt's id: when a claim is sent again because the reply was lost, it finds its own.
const claimScript = defineScript(
  'replay_claim',
  1,
  `if redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) then return 1 end
if redis.call('GET', KEYS[1]) == ARGV[1] then return 1 end
return 0`,
)

/** A claim that failed although it may be done. */
interface UnknownClaim {
  readonly attempt: string
  /** Its reply came late, and said that it was the first. */
  isFresh: boolean
}

/** Claims of unknown outcome that are kept. Beyond it a signature stays used. */
const MAX_UNKNOWN = 10_000
const running = () => systemClock.monotonic()

/**
 * A replay store for any number of processes: one `SET NX PX` a claim, in a script that does nothing when it comes
 * late. `claim` rejects with an `UnavailableError` when Redis cannot be asked within `commandTimeoutMs`; the next claim of
 * the key in this process then takes up the same attempt, so the retry that was invited is no replay.
 */
export function redisReplay(redis: RedisClient, options: RedisStoreOptions = {}): ReplayStore {
  const runner = createScriptRunner(redis, 'redisReplay', 'replay_store', options)
  const unknown = new BoundedTtlMap<string, UnknownClaim>({
    maxEntries: MAX_UNKNOWN,
    clock: { now: running, monotonic: running },
  })

  function keep(key: string, claim: UnknownClaim, ttlMs: number, answer?: Promise<unknown>): void {
    if (!unknown.set(key, claim, running() + ttlMs) || answer === undefined) return
    answer.then(
      (reply) => {
        // Taken meanwhile: whoever took it has the outcome, and nobody else may.
        if (unknown.get(key) !== claim) return
        if (Number(reply) === 1) claim.isFresh = true
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
      const tag = keyTag(runner.namespace, 'replay', partitionOf(key))
      let isKept = false
      const onUnknown = (answer: Promise<unknown>) => {
        isKept = true
        keep(key, { attempt, isFresh: false }, ttlMs, answer)
      }
      try {
        const args = [attempt, Math.ceil(ttlMs)]
        const fresh = await runner.run(claimScript, tag, [`${tag}:${key}`], args, { onUnknown })
        // A client with stringNumbers gives '1'.
        return Number(fresh) === 1 ? 'fresh' : 'seen'
      } catch (error) {
        if (!isKept && (before !== undefined || isReply(error))) keep(key, { attempt, isFresh: false }, ttlMs)
        throw error
      }
    },
  }
}

/** Whether the server answered an error: it may be that of a command that was sent again, whose first sending was done. */
function isReply(error: unknown): boolean {
  return ((error as Error).cause as Error | undefined)?.name === 'ReplyError'
}
