import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals'
import { Cluster, Redis } from 'ioredis'
import * as iovalkey from 'iovalkey'
import { hangingRedis } from '../../../test/support/hanging-redis.js'
import { clientKinds } from '../../../test/support/redis-clients.js'
import { RedisServer, startRedisCluster } from '../../../test/support/redis-server.js'
import type { RedisClient } from '../src/index.js'
import { createNotices } from '../src/store.js'
import { client, client5, clusterClient, disconnectAll, eventually } from './harness.js'

let server: RedisServer
let cluster: Awaited<ReturnType<typeof startRedisCluster>>
beforeAll(async () => {
  ;[server, cluster] = await Promise.all([RedisServer.start(), startRedisCluster()])
}, 60_000)
afterEach(() => disconnectAll())
afterAll(() => Promise.all([server.stop(), cluster.stop()]))

/** Listens, and notes what comes. */
function hear(redis: RedisClient, name = 'one') {
  const heard: string[] = []
  const state = { gaps: 0, heard, stop: (): void => undefined, channel: '' }
  const notices = createNotices(redis, name)
  state.channel = notices.channel
  state.stop = notices.listen(
    (text) => void heard.push(text),
    () => {
      state.gaps += 1
    },
  )
  return state
}

const untilHearing = (state: { gaps: number }, gaps = 1) =>
  eventually(
    async () => state.gaps,
    (count) => count >= gaps,
  )
const subscribers = async (of: RedisServer, channel: string) =>
  Number(((await of.command('PUBSUB', 'NUMSUB', channel)) as [string, number])[1])

describe.each(clientKinds({ ioredis: { Redis, Cluster }, iovalkey }))('notices over $name', (kind) => {
  test('[redis-notices] what is published is heard, on a channel with the prefix of the client', async () => {
    const nodes = kind.isCluster ? cluster.nodes : [server]
    const redis = await kind.connect(nodes)
    for (const node of nodes) await node.command('ACL', 'SETUSER', 'prefixed', '&app:*')
    const state = hear(redis)
    const other = hear(redis, 'other')
    await Promise.all([untilHearing(state), untilHearing(other)])
    expect(state.channel).toBe(kind.name.includes('keyPrefix') ? 'app:one' : 'one')
    await (nodes[0] as RedisServer).command('PUBLISH', state.channel, 'a')
    await (nodes[0] as RedisServer).command('PUBLISH', other.channel, 'b')
    await eventually(
      async () => state.heard.length + other.heard.length,
      (count) => count >= 2,
    )
    expect([state.heard, other.heard]).toEqual([['a'], ['b']])
    redis.disconnect()
  })
})

test.each<[string, (url: string, options: object) => RedisClient]>([
  ['ioredis 6', client],
  ['ioredis 5.9', client5],
])('[redis-notices] no option of the client keeps notices from being heard (%s)', async (_name, make) => {
  const options = {
    lazyConnect: true,
    enableOfflineQueue: false,
    autoResubscribe: false,
    maxRetriesPerRequest: 0,
    commandTimeout: 1000,
    socketTimeout: 1000,
    db: 3,
    retryStrategy: () => null,
    reconnectOnError: () => true,
  }
  const state = hear(make(server.url, options))
  await untilHearing(state)
  await server.command('PUBLISH', 'one', 'a')
  await eventually(
    async () => state.heard.length,
    (count) => count > 0,
  )
  expect(state.heard).toEqual(['a'])
})

test('[redis-notices] a subscription that was lost is made again, and what was missed is known to be unknown', async () => {
  const state = hear(client(server.url))
  await untilHearing(state)
  for (let round = 1; round <= 3; round += 1) {
    await server.command('CLIENT', 'KILL', 'TYPE', 'pubsub')
    await untilHearing(state, round + 1)
    await server.command('PUBLISH', 'one', `after ${round}`)
    await eventually(
      async () => state.heard.length,
      (count) => count >= round,
    )
  }
  await server.restart()
  await untilHearing(state, 5)
  await server.command('PUBLISH', 'one', 'last')
  await eventually(
    async () => state.heard.length,
    (count) => count >= 4,
  )
  expect(state.heard).toEqual(['after 1', 'after 2', 'after 3', 'last'])
})

test('[redis-notices] a subscription on a half-open connection is made again on another one', async () => {
  const proxy = await hangingRedis(server.port)
  const state = hear(client(proxy.url, { socketTimeout: 1000 }))
  await untilHearing(state)
  proxy.halfOpen()
  await untilHearing(state, 2)
  await server.command('PUBLISH', 'one', 'a')
  await eventually(
    async () => state.heard.length,
    (count) => count > 0,
  )
  expect(state.heard).toEqual(['a'])
  await proxy.close()
})

test('[redis-notices] on a cluster another master takes the place of one that is gone', async () => {
  const own = await startRedisCluster()
  const state = hear(clusterClient(own.nodes.map(({ port }) => port)))
  await untilHearing(state)
  const counts = await Promise.all(own.nodes.map((node) => subscribers(node, 'one')))
  expect(counts.reduce((sum, count) => sum + count)).toBe(1)
  const at = counts.indexOf(1)
  await own.nodes[at]?.kill()
  await untilHearing(state, 2)
  const left = own.nodes[(at + 1) % 3] as RedisServer
  await left.command('PUBLISH', 'one', 'a')
  await eventually(
    async () => state.heard.length,
    (count) => count > 0,
  )
  expect(state.heard).toEqual(['a'])
  disconnectAll()
  await own.stop()
}, 60_000)

test('[redis-notices] a user that may not subscribe hears nothing until it may, and harms nothing', async () => {
  await server.command('ACL', 'SETUSER', 'deaf', 'on', '>secret', '~*', '+@all', 'resetchannels')
  const redis = client(server.url, { username: 'deaf', password: 'secret' })
  const state = hear(redis)
  await eventually(
    async () => (await server.command('ACL', 'LOG')) as unknown[],
    (log) => log.length > 0,
  )
  expect([await redis.set('one', '1'), state.gaps]).toEqual(['OK', 0])
  await server.command('ACL', 'SETUSER', 'deaf', 'allchannels')
  await untilHearing(state)
  expect(state.gaps).toBe(1)
})

test('[redis-notices] nobody is connected who does not listen, and a client that ends takes its subscription along', async () => {
  const redis = client(server.url)
  // A channel of its own: connections of the tests before may still be closing.
  createNotices(redis, 'own')
  await redis.ping()
  expect(await subscribers(server, 'own')).toBe(0)
  const [first, second] = [hear(redis, 'own'), hear(redis, 'own')]
  await Promise.all([untilHearing(first), untilHearing(second)])
  expect(await subscribers(server, 'own')).toBe(1)
  first.stop()
  first.stop()
  await server.command('PUBLISH', 'own', 'a')
  await eventually(
    async () => second.heard.length,
    (count) => count > 0,
  )
  expect([first.heard, second.heard]).toEqual([[], ['a']])
  second.stop()
  expect(
    await eventually(
      () => subscribers(server, 'own'),
      (count) => count === 0,
    ),
  ).toBe(0)
  const third = hear(redis, 'own')
  await untilHearing(third)
  redis.disconnect()
  expect(
    await eventually(
      () => subscribers(server, 'own'),
      (count) => count === 0,
    ),
  ).toBe(0)
  await redis.connect()
  await untilHearing(third, 2)
  expect(await subscribers(server, 'own')).toBe(1)
})
