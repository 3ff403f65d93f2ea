import { randomBytes } from 'node:crypto'
import type { ReplayStore } from '@countersign/core'
import { assertTtl, partitionOf } from '@countersign/core/gate-kit'
import type { RedisClient, RedisStoreOptions } from './client.js'
import { keyTag } from './key-tag.js'
import { defineScript } from './script.js'
import { createScriptRunner } from './script-runner.js'

// The value is the attempt's id: when ioredis sends a claim again because the reply was lost, it finds its own.
const claimScript = defineScript(
  'replay_claim',
  1,
  `if redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) then return 1 end
if redis.call('GET', KEYS[1]) == ARGV[1] then return 1 end
return 0`,
)

/**
 * A replay store for any number of processes: one `SET NX PX` a claim, in a script that does nothing when it comes
 * late. `claim` rejects with an `UnavailableError` when Redis cannot be asked within `commandTimeoutMs`.
 */
export function redisReplay(redis: RedisClient, options: RedisStoreOptions = {}): ReplayStore {
  const runner = createScriptRunner(redis, 'redisReplay', 'replay_store', options)
  return {
    async claim(key, ttlMs) {
      assertTtl(ttlMs)
      const tag = keyTag(runner.namespace, 'replay', partitionOf(key))
      const attempt = randomBytes(9).toString('base64url')
      const fresh = await runner.run(claimScript, tag, [`${tag}:${key}`], [attempt, Math.ceil(ttlMs)])
      // A client with stringNumbers gives '1'.
      return Number(fresh) === 1 ? 'fresh' : 'seen'
    },
  }
}
