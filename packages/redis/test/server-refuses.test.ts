import type { ReplayStore } from '@countersign/core'
import { afterAll, afterEach, describe, expect, test } from '@jest/globals'
import { RedisServer, startRedisCluster, untilClusterSays } from '../../../test/support/redis-server.js'
import { redisReplay } from '../src/index.js'
import { client, client5, clusterClient, disconnectAll, eventually, outcomeOf, unavailable } from './harness.js'

const TTL = 60_000
const servers: { stop(): Promise<void> }[] = []
async function start(...settings: string[]): Promise<RedisServer> {
  const server = await RedisServer.start(...settings)
  servers.push(server)
  return server
}
afterEach(disconnectAll)
afterAll(async () => {
  await Promise.all(servers.map((server) => server.stop()))
})

describe('a server that answers and refuses', () => {
  test('[redis-readonly] because it is a replica is unavailable, until it is promoted', async () => {
    const master = await start()
    const replica = await start('--replicaof', '127.0.0.1', String(master.port))
    await eventually(
      async () => String(await replica.command('INFO', 'replication')),
      (info) => info.includes('master_link_status:up'),
    )
    const store = redisReplay(client(replica.url), { commandTimeoutMs: 5_000 })
    await expect(store.claim('a', TTL)).rejects.toMatchObject({
      ...unavailable,
      message: expect.stringMatching(/READONLY|read only/),
    })
    await replica.command('REPLICAOF', 'NO', 'ONE')
    // The client may still be connecting again.
    expect(await eventually(async () => store.claim('a', TTL))).toBe('fresh')
  })

  test('[redis-out-of-memory] because it has no memory is unavailable, and what it refused is not done', async () => {
    const server = await start('--maxmemory-policy', 'noeviction')
    const store = redisReplay(client(server.url), { commandTimeoutMs: 5_000 })
    expect(await store.claim('kept', TTL)).toBe('fresh')
    await server.command('CONFIG', 'SET', 'maxmemory', '1')
    await expect(store.claim('refused', TTL)).rejects.toMatchObject({
      ...unavailable,
      message: expect.stringContaining('OOM'),
    })
    await server.command('CONFIG', 'SET', 'maxmemory', '0')
    expect([await store.claim('refused', TTL), await store.claim('kept', TTL)]).toEqual(['fresh', 'seen'])
  })

  test('[redis-loading] because it is loading its data is unavailable, with and without the ready check', async () => {
    // 25 keys a second, and the server keeps answering while it loads.
    const server = await start('--key-load-delay', '40000', '--loading-process-events-interval-bytes', '1024')
    const filler = client(server.url)
    for (let count = 0; count < 100; count += 1) await filler.set(`filler-${count}`, String(count).repeat(3_000))
    await filler.save()
    await server.kill()
    let isLoading = true
    const restarted = server.restart().then(() => {
      isLoading = false
    })
    const stores = [client, client5].flatMap((make) =>
      [true, false].map((enableReadyCheck) =>
        redisReplay(make(server.url, { enableReadyCheck }), { commandTimeoutMs: 600 }),
      ),
    )
    const refused: { store: ReplayStore; key: string; answer: string }[] = []
    for (let round = 0; isLoading; round += 1) {
      const claims = stores.map(async (store, index) => {
        const key = `loading-${round}-${index}`
        return { store, key, answer: await outcomeOf(store, key) }
      })
      const results = await Promise.all(claims)
      if (isLoading) refused.push(...results)
      // A refusal may be known at once: without a pause the server's own news would never be read.
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
    await restarted
    expect(refused.length).toBeGreaterThan(3)
    expect(refused.filter(({ answer }) => !answer.startsWith('UnavailableError'))).toEqual([])
    expect(refused.map(({ answer }) => answer).join('\n')).toContain('LOADING')
    for (const { store, key } of refused) expect(await eventually(async () => store.claim(key, TTL))).toBe('fresh')
  }, 40_000)

  test('because the password is wrong is unavailable', async () => {
    const server = await start('--requirepass', 'right')
    const store = redisReplay(client(`redis://:wrong@127.0.0.1:${server.port}`), { commandTimeoutMs: 500 })
    await expect(store.claim('a', TTL)).rejects.toMatchObject(unavailable)
  })

  test('because the user may run no scripts is unavailable', async () => {
    const server = await start()
    await server.command('ACL', 'SETUSER', 'limited', 'on', '>secret', '~*', '+@all', '-@scripting')
    const store = redisReplay(client(`redis://limited:secret@127.0.0.1:${server.port}`), { commandTimeoutMs: 2_000 })
    await expect(store.claim('a', TTL)).rejects.toMatchObject({
      ...unavailable,
      message: expect.stringContaining('NOPERM'),
    })
  })
})

describe('a Redis Cluster', () => {
  test('[redis-cluster] with a master stopped refuses the claims of its slots alone, does none of them late, and recovers', async () => {
    const { nodes, stop } = await startRedisCluster()
    servers.push({ stop })
    const redis = clusterClient(nodes.map(({ port }) => port))
    const store = redisReplay(redis, { commandTimeoutMs: 4_000 })
    const keys = Array.from({ length: 48 }, (_, index) => `key-${index}`)
    const isRefused = (outcome: string) => outcome.startsWith('UnavailableError')
    const claimAll = async (suffix: string) => Promise.all(keys.map(async (key) => outcomeOf(store, key + suffix)))
    await eventually(
      async () => claimAll('-warm-up'),
      (outcomes) => !outcomes.some(isRefused),
    )
    expect(new Set(await claimAll('-warm-up'))).toEqual(new Set(['seen']))

    nodes[0]?.pause()
    const during = await claimAll('-lost')
    expect(new Set(during.map((outcome) => (isRefused(outcome) ? 'refused' : outcome)))).toEqual(
      new Set(['fresh', 'refused']),
    )
    nodes[0]?.resume()
    await eventually(
      async () => claimAll('-after'),
      (outcomes) => !outcomes.some(isRefused),
    )
    const afterwards = await claimAll('-lost')
    // What was refused then is fresh now, what was fresh then is seen now.
    expect(afterwards).toEqual(during.map((result) => (result === 'fresh' ? 'seen' : 'fresh')))
  }, 60_000)

  test('[redis-cluster] that is down for want of a master is unavailable for every claim, does none of them, and recovers', async () => {
    const { nodes, stop } = await startRedisCluster()
    servers.push({ stop })
    const [dead, ...others] = nodes as [RedisServer, ...RedisServer[]]
    const store = redisReplay(clusterClient(nodes.map(({ port }) => port)), { commandTimeoutMs: 4_000 })
    const keys = Array.from({ length: 48 }, (_, index) => `key-${index}`)
    const claimAll = async (suffix: string) => Promise.all(keys.map(async (key) => outcomeOf(store, key + suffix)))
    const isUnavailable = (outcome: string) => outcome.startsWith('UnavailableError')
    await eventually(async () => store.claim('warm-up', TTL))
    await dead.kill()
    await untilClusterSays(others, 'fail')
    const during = await claimAll('')
    expect(during.filter((outcome) => !isUnavailable(outcome))).toEqual([])
    expect(during.join('\n')).toContain('CLUSTERDOWN')
    await dead.restart()
    await untilClusterSays(nodes, 'ok')
    await eventually(
      async () => claimAll('-after'),
      (outcomes) => !outcomes.some(isUnavailable),
    )
    expect(new Set(await claimAll(''))).toEqual(new Set(['fresh']))
  }, 60_000)
})
