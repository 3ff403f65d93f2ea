import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { Cluster, Redis } from 'ioredis'
import * as iovalkey from 'iovalkey'
import { type HangingRedis, hangingRedis } from '../../../test/support/hanging-redis.js'
import { clientKinds } from '../../../test/support/redis-clients.js'
import { RedisServer, startRedisCluster } from '../../../test/support/redis-server.js'
import { replayContract } from '../../../test/support/replay-contract.js'
import { type RedisClient, redisReplay } from '../src/index.js'
import { client, client5, clusterClient, disconnectAll } from './harness.js'

let server: RedisServer
let cluster: Awaited<ReturnType<typeof startRedisCluster>>
let proxy: HangingRedis
beforeAll(async () => {
  ;[server, cluster] = await Promise.all([RedisServer.start(), startRedisCluster()])
  proxy = await hangingRedis(server.port)
  proxy.delay(5)
}, 60_000)
afterAll(async () => {
  disconnectAll()
  await proxy.close()
  await Promise.all([server.stop(), cluster.stop()])
})

const patient = { commandTimeoutMs: 10_000 }
const ports = () => cluster.nodes.map(({ port }) => port)

describe('the Redis replay store', () => {
  describe('on ioredis 6', () => {
    const make = () => redisReplay(client(server.url), patient)
    test.each(replayContract(make))('[redis-replay-contract] $title', ({ run }) => run())
  })

  describe('on ioredis 5.9', () => {
    const make = () => redisReplay(client5(server.url), patient)
    test.each(replayContract(make))('[redis-replay-contract] [redis-versions] $title', ({ run }) => run())
  })

  describe('on a Redis Cluster', () => {
    const make = () => redisReplay(clusterClient(ports()), patient)
    test.each(replayContract(make))('[redis-replay-contract] [redis-cluster] $title', ({ run }) => run())
  })

  describe('behind a slow network', () => {
    const make = () => redisReplay(client(proxy.url), patient)
    test.each(replayContract(make))('[redis-replay-contract] $title', ({ run }) => run())
  })

  describe.each(clientKinds({ ioredis: { Redis, Cluster }, iovalkey }))('on $name', ({ connect, isCluster }) => {
    let made: RedisClient
    beforeAll(async () => {
      made = await connect(isCluster ? cluster.nodes : [server])
    })
    afterAll(() => made.disconnect())
    const make = () => redisReplay(made, patient)
    test.each(replayContract(make))('[redis-replay-contract] [redis-versions] $title', ({ run }) => run())
  })

  describe('on a client with other settings', () => {
    test.each([
      ['lazyConnect', { lazyConnect: true }],
      ['no offline queue', { enableOfflineQueue: false }],
      ['no ready check', { enableReadyCheck: false }],
      ['no resending', { autoResendUnfulfilledCommands: false, maxRetriesPerRequest: 0 }],
      ['keyPrefix', { keyPrefix: 'app:' }],
      ['stringNumbers', { stringNumbers: true }],
      ['another database', { db: 3 }],
      ['a command timeout', { commandTimeout: 5000 }],
      ['auto pipelining', { enableAutoPipelining: true }],
    ])('[redis-versions] works with %s', async (name, settings) => {
      for (const make of [client, client5]) {
        const store = redisReplay(make(server.url, settings), { ...patient, namespace: `settings-${make.name}` })
        expect([await store.claim(name, 60_000), await store.claim(name, 60_000)]).toEqual(['fresh', 'seen'])
      }
    })
  })

  test('[redis-one-command] is one command a claim', async () => {
    const redis = client(server.url)
    const store = redisReplay(redis, patient)
    await store.claim('warm-up', 60_000)
    await server.command('CONFIG', 'RESETSTAT')
    await Promise.all(Array.from({ length: 20 }, async (_, index) => store.claim(`counted-${index}`, 60_000)))
    const stats = String(await server.command('INFO', 'commandstats'))
    expect(/cmdstat_evalsha:calls=(\d+)/.exec(stats)?.[1]).toBe('20')
    expect(stats).not.toContain('cmdstat_eval:')
  })

  test('[redis-one-command] keeps a claim for its time, rounded up, under its namespace and nowhere else', async () => {
    const store = redisReplay(client(server.url, { db: 5 }), { ...patient, namespace: 'mine' })
    await store.claim('nonce', 59_999.2)
    const inspect = client(server.url, { db: 5 })
    const [key = ''] = await inspect.keys('*')
    expect(key).toMatch(/^\{mine:replay:\d{1,2}:\d+\}:nonce$/)
    expect(await inspect.dbsize()).toBe(1)
    const ttl = await inspect.pttl(key)
    expect(ttl).toBeGreaterThan(50_000)
    expect(ttl).toBeLessThanOrEqual(60_000)
  })

  test('shares its claims with other clients of one namespace, and with no other namespace', async () => {
    const [a, b] = [redisReplay(client(server.url), patient), redisReplay(client5(server.url), patient)]
    const other = redisReplay(client(server.url), { ...patient, namespace: 'other' })
    expect([await a.claim('shared', 60_000), await b.claim('shared', 60_000)]).toEqual(['fresh', 'seen'])
    expect(await other.claim('shared', 60_000)).toBe('fresh')
  })

  test('[redis-cluster] spreads its claims over the slots of a cluster', async () => {
    const redis = clusterClient(ports())
    const store = redisReplay(redis, { ...patient, namespace: 'spread' })
    await Promise.all(Array.from({ length: 200 }, async (_, index) => store.claim(`key-${index}`, 60_000)))
    const counts = await Promise.all(redis.nodes('master').map((node) => node.dbsize()))
    expect(counts).toHaveLength(3)
    expect(Math.min(...counts)).toBeGreaterThan(0)
  })

  test.each([
    [{ namespac: 'a' }, 'Did you mean "namespace"?'],
    [{ namespace: 'a{b}' }, 'option "namespace" must be 1 to 64 of the characters'],
    [{ namespace: '' }, 'option "namespace"'],
    [{ commandTimeoutMs: 0 }, 'option "commandTimeoutMs" must be an integer from 1 to 60000'],
  ])('[redis-options] refuses the options %j at creation', (options, message) => {
    expect(() => redisReplay(client(server.url), options as object)).toThrow(message)
  })

  test.each([[undefined], ['redis://localhost'], [{ namespace: 'cs' }]])(
    '[redis-options] refuses %j in the place of a client',
    (value) => {
      expect(() => redisReplay(value as never)).toThrow(
        expect.objectContaining({
          name: 'OptionError',
          code: 'ERR_COUNTERSIGN_OPTION_INVALID',
          message: expect.stringContaining('must be an ioredis client'),
        }),
      )
    },
  )
})
