import { createHmac, timingSafeEqual } from 'node:crypto'
import { option, resolveOptions, sha256 } from '@countersign/core/gate-kit'
import type { RedisClient, RedisStoreOptions } from '@countersign/redis'
import { createScriptRunner, defineScript, keyTag, redisStoreOptionRules } from '@countersign/redis/store'
import { isJsonObject } from '../strict-encoding.js'
import type { CachedKeySet, KeyCache } from './port.js'

/** Options of {@link redisKeyCache}. */
export interface RedisKeyCacheOptions extends Omit<RedisStoreOptions, 'dangerouslyAllowEviction'> {
  /**
   * Authenticates the values: 32 bytes or more, the same in all processes. Without it, anyone who can write to Redis could
   * sign tokens.
   */
  readonly secret: string | Uint8Array
}

const { dangerouslyAllowEviction: _, ...storeRules } = redisStoreOptionRules

const rules = {
  ...storeRules,
  secret: option
    .custom<Uint8Array>('a secret of 32 bytes or more', (value) => {
      const bytes = typeof value === 'string' ? Buffer.from(value) : value
      return bytes instanceof Uint8Array && bytes.length >= 32 ? bytes : undefined
    })
    .secret()
    .required(),
}

const loadScript = defineScript('oauth_keys_load', 1, "return redis.call('GET', KEYS[1])")
const saveScript = defineScript('oauth_keys_save', 1, "redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2]) return 1")

/** Stored for as long as any gate may use a stale set. */
const MAX_STALE_MS = 86_400_000
const VERSION = 'v1'

/**
 * Stores issuers' key sets in Redis, for processes that start while an issuer is down. Each value contains a MAC over
 * itself and the issuer's name; a value whose MAC is wrong is ignored.
 *
 * @throws {OptionError} at creation.
 * @example
 * requireOAuthBearer({ resource, issuer, keyCache: redisKeyCache(redis, { secret: process.env.KEY_CACHE_SECRET }) })
 */
export function redisKeyCache(redis: RedisClient, options: RedisKeyCacheOptions): KeyCache {
  const { secret, ...terms } = resolveOptions('redisKeyCache', options, rules)
  // A set that was evicted is fetched again.
  const runner = createScriptRunner(redis, 'redisKeyCache', 'keys', { ...terms, dangerouslyAllowEviction: true })

  function keyOf(issuer: string): { tag: string; key: string } {
    const name = sha256(issuer).toString('base64url')
    const tag = keyTag(runner.namespace, 'oauth-keys', name)
    return { tag, key: `${tag}:set` }
  }

  function mac(issuer: string, json: string): Buffer {
    return createHmac('sha256', secret).update(`${VERSION}\n${issuer}\n${json}`).digest()
  }

  return {
    async load(issuer) {
      const { tag, key } = keyOf(issuer)
      const value = await runner.run(loadScript, tag, [key], [])
      return typeof value === 'string' ? open(value, (json) => mac(issuer, json)) : undefined
    },
    async save(issuer, { jwks, fetchedAt, freshMs }) {
      const { tag, key } = keyOf(issuer)
      const json = JSON.stringify({ jwks, fetchedAt, freshMs })
      const value = `${VERSION}.${mac(issuer, json).toString('base64url')}.${json}`
      await runner.run(saveScript, tag, [key], [value, Math.ceil(freshMs) + MAX_STALE_MS])
    },
  }
}

/** The key set in a value, if its MAC is right. */
function open(value: string, mac: (json: string) => Buffer): CachedKeySet | undefined {
  const [version, tag = ''] = value.split('.', 2)
  if (version !== VERSION) return undefined
  const json = value.slice(VERSION.length + tag.length + 2)
  const given = Buffer.from(tag, 'base64url')
  const expected = mac(json)
  if (given.length !== expected.length || !timingSafeEqual(given, expected)) return undefined
  const { jwks, fetchedAt, freshMs } = JSON.parse(json) as Record<string, unknown>
  if (!isJsonObject(jwks) || typeof fetchedAt !== 'number' || typeof freshMs !== 'number') return undefined
  return { jwks, fetchedAt, freshMs }
}
