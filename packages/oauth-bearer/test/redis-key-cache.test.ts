import { requireOAuthBearer } from '@countersign/oauth-bearer'
import { redisKeyCache } from '@countersign/oauth-bearer/redis'
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals'
import { Redis } from 'ioredis'
import { RedisServer } from '../../../test/support/redis-server.js'
import { type Harness, oauthApp } from './harness.js'
import { makeKey } from './test-issuer.js'

const SECRET = 'the-secret-of-the-key-cache-of-the-tests'
const MINUTE = 60_000
let server: RedisServer
let redis: Redis
let app: Harness
beforeAll(async () => {
  server = await RedisServer.start()
  redis = new Redis(server.url)
})
afterEach(async () => {
  await app.stop()
  await redis.flushall()
})
afterAll(async () => {
  redis.disconnect()
  await server.stop()
})

async function until(isSo: () => Promise<boolean>): Promise<void> {
  while (!(await isSo())) await new Promise((resolve) => setTimeout(resolve, 5))
}

/** An app with a second process' worth of gate beside its own, on the same Redis. */
async function start(secondSecret = SECRET) {
  app = await oauthApp(({ url }, clock) => ({
    keyCache: redisKeyCache(redis, { secret: SECRET }),
    routes: (routes) => {
      const second = requireOAuthBearer({
        resource: 'https://mcp.example.com/mcp',
        issuer: url,
        clock,
        keyCache: redisKeyCache(redis, { secret: secondSecret }),
      })
      routes.get('/second', second, (_request, response) => void response.json({}))
    },
  }))
}
const warm = async () => {
  expect((await app.get(await app.token())).status).toBe(200)
  await until(async () => (await redis.keys('*')).length === 1)
}
const cut = () => app.issuer.answer('/jwks', (_request, response) => void response.writeHead(500).end())
const second = async (token?: string) => (await app.get(token ?? (await app.token()), '/second')).status

describe('a key cache in Redis', () => {
  test('lets a process that starts during an outage verify, until the keys are too old', async () => {
    await start()
    await warm()
    cut()
    app.clock.advance(30 * MINUTE)
    expect(await second()).toBe(200)
    // An unknown kid cannot be judged from a cache.
    expect(await second(await app.token({}, await makeKey('k2')))).toBe(503)
    app.clock.advance(40 * MINUTE)
    expect(await second()).toBe(503)
  })

  test('is asked once, before the issuer, and the issuer is asked for what is missing', async () => {
    await start()
    await warm()
    expect(await second()).toBe(200)
    expect(app.issuer.fetches()).toBe(1)
    const next = await makeKey('k2')
    app.issuer.keys = [app.key.jwk, next.jwk]
    expect(await second(await app.token({}, next))).toBe(200)
    expect(app.issuer.fetches()).toBe(2)
  })

  test('is not used if it is too old at the start', async () => {
    await start()
    await warm()
    cut()
    app.clock.advance(71 * MINUTE)
    expect(await second()).toBe(503)
  })

  test('[oauth-key-cache] contains values that a writer to Redis cannot forge', async () => {
    await start()
    await warm()
    const [name = ''] = await redis.keys('*')
    const value = (await redis.get(name)) ?? ''
    const forged = await makeKey('k1')
    cut()
    const swapped = value.replace(app.key.jwk.n as string, forged.jwk.n as string)
    expect(swapped).not.toBe(value)
    for (const bad of [swapped, `${value} `, value.slice(3), `v1..${value.split('.').slice(2).join('.')}`, 'v1', '']) {
      await redis.set(name, bad)
      expect(await second(await app.token({}, forged))).toBe(503)
      await app.stop()
      await start()
      cut()
    }
  })

  test('[oauth-key-cache] ignores values of another secret or for another issuer', async () => {
    await start('another-secret-of-the-key-cache-of-the-tests')
    await warm()
    cut()
    expect(await second()).toBe(503)
  })

  test('may be down', async () => {
    await start()
    server.pause()
    try {
      expect((await app.get(await app.token())).status).toBe(200)
    } finally {
      server.resume()
    }
  })

  test('[oauth-redis-commands] is read once at a cold start, written once for a fetch, and not used for a decision', async () => {
    await start()
    await redis.config('RESETSTAT')
    await warm()
    const calls = async () => {
      const stats = await redis.info('commandstats')
      const count = (name: string) => Number(new RegExp(`cmdstat_${name}:calls=(\\d+)`).exec(stats)?.[1] ?? 0)
      return { get: count('get'), set: count('set') }
    }
    expect(await calls()).toEqual({ get: 1, set: 1 })
    for (let round = 0; round < 50; round += 1) {
      expect((await app.get(await app.token({ claims: { jti: `j${round}` } }))).status).toBe(200)
    }
    expect(await calls()).toEqual({ get: 1, set: 1 })
  })

  test.each([
    [{ secret: 'short' }, 'ERR_COUNTERSIGN_OPTION_INVALID'],
    [{}, 'ERR_COUNTERSIGN_OPTION_MISSING'],
    [{ secret: SECRET, namespace: '{x}' }, 'ERR_COUNTERSIGN_OPTION_INVALID'],
    [{ secret: SECRET, ttl: 1 }, 'ERR_COUNTERSIGN_OPTION_UNKNOWN'],
  ])('refuses %j at creation', async (options, code) => {
    await start()
    expect(() => redisKeyCache(redis, options as { secret: string })).toThrow(expect.objectContaining({ code }))
  })
})
