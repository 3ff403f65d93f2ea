import { type LegacyUse, option, resolveOptions, type UsageStore } from '@countersign/core/gate-kit'
import type { RedisClient, RedisStoreOptions } from './client.js'
import { keyTag } from './key-tag.js'
import { defineScript } from './script.js'
import { createScriptRunner, redisStoreOptionRules } from './script-runner.js'

// Three fields a caller: what was accepted, refused, and when it was seen last.
const addScript = defineScript(
  'usage_add',
  1,
  `for i = 1, #ARGV, 4 do
  redis.call('HINCRBY', KEYS[1], 'a:' .. ARGV[i], ARGV[i + 1])
  redis.call('HINCRBY', KEYS[1], 'r:' .. ARGV[i], ARGV[i + 2])
  local last = tonumber(redis.call('HGET', KEYS[1], 's:' .. ARGV[i]) or '0')
  if tonumber(ARGV[i + 3]) > last then redis.call('HSET', KEYS[1], 's:' .. ARGV[i], ARGV[i + 3]) end
end
return 1`,
)
const readScript = defineScript('usage_read', 1, `return redis.call('HGETALL', KEYS[1])`)

/** Options of {@link redisUsage}. */
export interface RedisUsageOptions extends RedisStoreOptions {
  /** Which gate's: gates with different old keys have different names. Default `hmac`. */
  readonly name?: string | undefined
}

const rules = { ...redisStoreOptionRules, name: option.string(/^[A-Za-z0-9._-]{1,64}$/).default('hmac') }

/**
 * Keeps in Redis who still uses an old key, for all processes and beyond a restart.
 *
 * @throws {OptionError}
 * @example
 * requireHmac({ secrets, audience, legacy, legacyUsage: redisUsage(redis) })
 */
export function redisUsage(redis: RedisClient, options: RedisUsageOptions = {}): UsageStore {
  const { name, ...terms } = resolveOptions('redisUsage', options, rules)
  const runner = createScriptRunner(redis, 'redisUsage', 'usage_store', terms)
  const key = keyTag(runner.namespace, 'usage', name)
  return {
    async add(uses) {
      const args = uses.flatMap(({ caller, accepted, refused, lastSeenAt }) => [caller, accepted, refused, lastSeenAt])
      await runner.change(addScript, key, [key], args)
    },
    async read() {
      return usesOf((await runner.run(readScript, key, [key], [])) as readonly unknown[])
    },
  }
}

/** Field and value by turns. */
function usesOf(flat: readonly unknown[]): readonly LegacyUse[] {
  const values = new Map<string, number>()
  for (let index = 0; index < flat.length; index += 2) values.set(String(flat[index]), Number(flat[index + 1]))
  const callers = [...values.keys()].filter((field) => field.startsWith('s:')).map((field) => field.slice(2))
  return callers.sort().map((caller) => ({
    caller,
    accepted: values.get(`a:${caller}`) ?? 0,
    refused: values.get(`r:${caller}`) ?? 0,
    lastSeenAt: values.get(`s:${caller}`) ?? 0,
  }))
}
