import { afterAll, afterEach, beforeAll, expect, jest, test } from '@jest/globals'
import { Redis as Iovalkey } from 'iovalkey'
import { hangingRedis } from '../../../test/support/hanging-redis.js'
import { RedisServer } from '../../../test/support/redis-server.js'
import { stableAddress } from '../../../test/support/stable-address.js'
import { type RedisClient, redisReplay } from '../src/index.js'
import { client, client5, disconnectAll, eventually, outcomeOf, unavailable } from './harness.js'

let first: RedisServer
let second: RedisServer
beforeAll(async () => {
  ;[first, second] = await Promise.all([RedisServer.start(), RedisServer.start()])
})
afterEach(disconnectAll)
afterAll(() => Promise.all([first.stop(), second.stop()]))

const TTL = 60_000

async function demoteFirst(): Promise<void> {
  await second.command('REPLICAOF', 'NO', 'ONE')
  await first.command('REPLICAOF', '127.0.0.1', String(second.port))
}

test.each([
  ['ioredis 6', client],
  ['ioredis 5.9', client5],
])(
  '[redis-demotion] a demoted primary behind a stable address needs no restart of the app (%s)',
  async (_name, make) => {
    await first.command('REPLICAOF', 'NO', 'ONE')
    const address = await stableAddress(first)
    const store = redisReplay(make(address.url), { commandTimeoutMs: 5000 })
    const told = redisReplay(make(address.url), { commandTimeoutMs: 5000, reconnectOnReadonly: false })
    expect(await store.claim(`before ${_name}`, TTL)).toBe('fresh')
    expect(await told.claim(`before ${_name}`, TTL)).toBe('seen')
    await demoteFirst()
    await expect(Promise.resolve(store.claim('during', TTL))).rejects.toMatchObject(unavailable)
    // It is still the replica that answers: there is one attempt in 5 s, not one for each request.
    const before = address.connections
    for (let count = 0; count < 30; count += 1) await eventually(async () => outcomeOf(store, 'during'))
    expect(address.connections - before).toBeLessThanOrEqual(1)
    address.primary = second
    expect(await eventually(async () => store.claim(`after ${_name}`, TTL))).toBe('fresh')
    expect(await outcomeOf(told, 'told')).toMatch(/UnavailableError.*READONLY/)
    address.close()
  },
  40_000,
)

test('[redis-demotion] a client that does not connect again by itself is left alone', async () => {
  await first.command('REPLICAOF', 'NO', 'ONE')
  const redis = client(first.url, { retryStrategy: null })
  const store = redisReplay(redis, { commandTimeoutMs: 5000 })
  expect(await store.claim('a client that gives up', TTL)).toBe('fresh')
  await demoteFirst()
  await expect(Promise.resolve(store.claim('during', TTL))).rejects.toMatchObject(unavailable)
  await first.command('REPLICAOF', 'NO', 'ONE')
  expect(await store.claim('promoted again', TTL)).toBe('fresh')
  expect(redis.status).toBe('ready')
})

test('[redis-half-open] half-open sockets recover within the advised settings, whatever the client', async () => {
  await first.command('REPLICAOF', 'NO', 'ONE')
  const proxy = await hangingRedis(first.port)
  const advised = { commandTimeout: 1000, socketTimeout: 5000 }
  const iovalkey = new Iovalkey(proxy.url, advised)
  iovalkey.on('error', () => undefined)
  const clients = [client(proxy.url, advised), client5(proxy.url, advised), iovalkey as unknown as RedisClient]
  const stores = clients.map((each, index) => redisReplay(each, { namespace: `half-open-${index}` }))
  await Promise.all(stores.map((store) => eventually(async () => store.claim('before', TTL))))
  proxy.halfOpen()
  const startedMs = performance.now()
  for (const store of stores) await expect(Promise.resolve(store.claim('lost', TTL))).rejects.toMatchObject(unavailable)
  for (const store of stores) expect(await eventually(async () => store.claim('after', TTL))).toBe('fresh')
  expect(performance.now() - startedMs).toBeLessThan(12_000)
  iovalkey.disconnect()
  await proxy.close()
}, 40_000)

test('[redis-advice] is given at the start, without being asked', async () => {
  const warn = jest.spyOn(process, 'emitWarning').mockImplementation(() => undefined)
  try {
    const store = redisReplay(client(second.url), { commandTimeoutMs: 5000 })
    await outcomeOf(store, 'advised')
    const codes = () => warn.mock.calls.map(([, options]) => (options as { code?: string }).code)
    await eventually(
      async () => codes(),
      (given) => given.includes('COUNTERSIGN_REDIS_NO_AOF'),
    )
    expect(codes()).toEqual([
      'COUNTERSIGN_REDIS_NO_COMMAND_TIMEOUT',
      'COUNTERSIGN_REDIS_NO_SOCKET_TIMEOUT',
      'COUNTERSIGN_REDIS_NO_AOF',
    ])
  } finally {
    warn.mockRestore()
  }
})
