import type { ReplayStore } from '@countersign/core'
import { partitionOf, retriedClaims } from '@countersign/core/gate-kit'
import type { RedisClient, RedisStoreOptions } from './client.js'
import { partitionTags } from './key-tag.js'
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

/** A client with stringNumbers gives '1'. */
const isFirst = (reply: unknown): boolean => Number(reply) === 1

/**
 * A replay store for any number of processes: one `SET NX PX` a claim, in a script that does nothing when it comes
 * late. `claim` rejects with an `UnavailableError` when Redis cannot be asked within `commandTimeoutMs`; the next claim of
 * the key in this process then takes up the same attempt, so the retry that was invited is no replay.
 */
export function redisReplay(redis: RedisClient, options: RedisStoreOptions = {}): ReplayStore {
  const runner = createScriptRunner(redis, 'redisReplay', 'replay_store', options)
  const tags = partitionTags(runner.namespace, 'replay')
  return retriedClaims(async ({ key, ttlMs, attempt, onUnknown }) => {
    const tag = tags[partitionOf(key)] as string
    const late = { onUnknown: (reply: Promise<unknown>) => onUnknown(reply.then(isFirst)) }
    try {
      return isFirst(await runner.run(claimScript, tag, [`${tag}:${key}`], [attempt, Math.ceil(ttlMs)], late))
    } catch (error) {
      if (isReply(error)) onUnknown()
      throw error
    }
  })
}

/** Whether the server answered an error: it may be that of a command that was sent again, whose first sending was done. */
function isReply(error: unknown): boolean {
  return ((error as Error).cause as Error | undefined)?.name === 'ReplyError'
}
