import { redisReplay } from '@countersign/redis'
import { redisSessions } from '@countersign/settings-session/redis'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { Redis } from 'ioredis'
import { RedisServer } from '../../../test/support/redis-server.js'
import { claim, look, newIdentity, newUser, opened } from './support/store-world.js'

let server: RedisServer
let redis: Redis
beforeAll(async () => {
  server = await RedisServer.start('--maxmemory-policy', 'allkeys-lru')
  redis = new Redis(server.url)
})
afterAll(async () => {
  redis.disconnect()
  await server.stop()
})

const patient = { commandTimeoutMs: 10_000 }
const refused = {
  name: 'UnavailableError',
  dependency: 'session_store',
  message: expect.stringContaining('maxmemory-policy is allkeys-lru'),
}
const awaiting = { state: 'awaiting_identity' } as const

test('[settings-no-eviction] a Redis that evicts is refused: it forgets who is bound, and a thief would bind', async () => {
  // What is prevented: the binding is evicted, and the sign-in of a thief with a stolen link becomes the first claim.
  const careless = redisSessions(redis, { ...patient, namespace: 'careless', dangerouslyAllowEviction: true })
  const user = newUser()
  const owner = newIdentity()
  await claim(careless, (await opened(careless, user, awaiting)).session, owner)
  for (const key of await redis.keys('{careless:*}:[ur]:*')) await redis.del(key)
  const stolen = await opened(careless, user, awaiting)
  expect((await claim(careless, stolen.session, newIdentity())).outcome).toBe('activated')

  const store = redisSessions(redis, patient)
  await expect(opened(store, user, awaiting)).rejects.toMatchObject(refused)
  await expect(look(store, stolen.session)).rejects.toMatchObject(refused)
  await expect(Promise.resolve(store.identityOf(user))).rejects.toMatchObject(refused)

  // Mended, it is used without a restart.
  await redis.config('SET', 'maxmemory-policy', 'noeviction')
  expect((await opened(store, user, awaiting)).outcome).toBe('opened')
  await redis.config('SET', 'maxmemory-policy', 'allkeys-lru')
})

test('[settings-no-eviction] the replay store refuses it too, where its user may not read the configuration', async () => {
  await redis.config('SET', 'maxmemory-policy', 'volatile-ttl')
  await server.command('ACL', 'SETUSER', 'limited', 'on', '>secret', '~*', '+@all', '-config')
  const limited = new Redis(`redis://limited:secret@127.0.0.1:${server.port}`)
  try {
    const store = redisReplay(limited, patient)
    await expect(Promise.resolve(store.claim('a', 60_000))).rejects.toMatchObject({
      name: 'UnavailableError',
      dependency: 'replay_store',
      message: expect.stringContaining('maxmemory-policy is volatile-ttl'),
    })
    const told = redisReplay(limited, { ...patient, dangerouslyAllowEviction: true })
    expect(await told.claim('a', 60_000)).toBe('fresh')
  } finally {
    limited.disconnect()
    await redis.config('SET', 'maxmemory-policy', 'allkeys-lru')
  }
})
