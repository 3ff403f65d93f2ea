import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals'
import { type HangingRedis, hangingRedis } from '../../../test/support/hanging-redis.js'
import { RedisServer } from '../../../test/support/redis-server.js'
import { redisReplay } from '../src/index.js'
import { client, disconnectAll, eventually, outcomeOf } from './harness.js'

let server: RedisServer
let proxy: HangingRedis
beforeAll(async () => {
  server = await RedisServer.start()
  proxy = await hangingRedis(server.port)
})
afterEach(async () => {
  proxy.resume()
  disconnectAll()
  await server.command('FLUSHALL')
})
afterAll(async () => {
  await proxy.close()
  await server.stop()
})

const TTL = 60_000
const quick = { commandTimeoutMs: 100 }

test('[redis-late-reply] with every byte late in both directions each of 2,000 signatures counts once, none is lost, no copy passes', async () => {
  // A worker that has run many files pauses for a tenth of a second when it collects.
  const store = redisReplay(client(proxy.url), { commandTimeoutMs: 300 })
  await eventually(async () => store.claim('warm', TTL))
  // 180 ms each way: a script runs in time, and its reply comes after the deadline.
  proxy.delay(180)
  const keys = Array.from({ length: 2000 }, (_, index) => `signature-${index}`)
  const fresh = new Map<string, number>()
  let unavailable = 0
  let copies = 0
  const claim = async (key: string) => {
    const outcome = await outcomeOf(store, key)
    if (outcome === 'fresh') fresh.set(key, (fresh.get(key) ?? 0) + 1)
    else if (outcome === 'seen') copies += 1
    else unavailable += 1
    return outcome
  }
  let round = 0
  for (let left = keys; left.length > 0; round += 1) {
    // A busy machine does not read all replies in time; of few, it does.
    const asked = round > 5 ? left.slice(0, 100) : left
    const outcomes = await Promise.all(asked.map(claim))
    // A retry comes when the 503 has been read. What it takes up may be lost again.
    left = left.filter((_, index) => index >= asked.length || outcomes[index]?.startsWith('UnavailableError'))
    if (round === 5) proxy.resume()
    await new Promise((resolve) => setTimeout(resolve, 25))
  }
  expect(unavailable).toBeGreaterThanOrEqual(2000)
  expect([fresh.size, copies]).toEqual([2000, 0])
  expect([...fresh.values()].filter((count) => count !== 1)).toEqual([])
  // No replay passes, here or in another process.
  const elsewhere = redisReplay(client(server.url), { commandTimeoutMs: 10_000 })
  const here: string[] = []
  for (let from = 0; from < keys.length; from += 100) {
    const some = keys.slice(from, from + 100)
    here.push(...(await Promise.all(some.map((key) => eventually(async () => store.claim(key, TTL))))))
  }
  const there = await Promise.all(keys.map((key) => elsewhere.claim(key, TTL)))
  expect(new Set([...here, ...there])).toEqual(new Set(['seen']))
}, 60_000)

test('[redis-late-reply] of three concurrent copies of a claim of unknown outcome one is fresh, before and after its reply', async () => {
  const store = redisReplay(client(proxy.url), quick)
  const threeOf = async (key: string) => {
    const outcomes = await Promise.all([1, 2, 3].map(async () => store.claim(key, TTL)))
    return outcomes.sort()
  }
  await eventually(async () => store.claim('warm', TTL))
  for (const key of ['before', 'after']) {
    proxy.hangReplies()
    expect(await outcomeOf(store, key)).toContain('UnavailableError')
    if (key === 'before') proxy.reset()
    proxy.resume()
    await eventually(async () => store.claim(`open ${key}`, TTL))
    expect(await threeOf(key)).toEqual(['fresh', 'seen', 'seen'])
  }
})

test('[redis-late-reply] a retry that cannot be sent leaves the attempt to the next one', async () => {
  const store = redisReplay(client(proxy.url), quick)
  await eventually(async () => store.claim('warm', TTL))
  proxy.hangReplies()
  for (let count = 0; count < 5; count += 1) expect(await outcomeOf(store, 'kept')).toContain('UnavailableError')
  proxy.reset()
  proxy.resume()
  expect(await eventually(async () => store.claim('kept', TTL))).toBe('fresh')
  expect(await store.claim('kept', TTL)).toBe('seen')
})

test('[redis-late-reply] a claim that was done before the primary was demoted is no replay when it is sent again', async () => {
  const store = redisReplay(client(proxy.url), { commandTimeoutMs: 5000 })
  await eventually(async () => store.claim('warm', TTL))
  proxy.hangReplies()
  const first = outcomeOf(store, 'demoted')
  await eventually(
    () => server.command('KEYS', '*demoted'),
    (keys) => (keys as unknown[]).length === 1,
  )
  await server.command('REPLICAOF', '127.0.0.1', '1')
  proxy.reset()
  proxy.resume()
  expect(await first).toContain('READONLY')
  await server.command('REPLICAOF', 'NO', 'ONE')
  expect(await eventually(async () => store.claim('demoted', TTL))).toBe('fresh')
  expect(await store.claim('demoted', TTL)).toBe('seen')
})

test('[redis-late-reply] on another process the signature stays used: lost, never double', async () => {
  const [here, there] = [
    redisReplay(client(proxy.url), quick),
    redisReplay(client(server.url), { commandTimeoutMs: 10_000 }),
  ]
  await eventually(async () => here.claim('warm', TTL))
  proxy.hangReplies()
  expect(await outcomeOf(here, 'lost')).toContain('UnavailableError')
  expect(await there.claim('lost', TTL)).toBe('seen')
})
