import type { ReplayStore } from '@countersign/core'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals'
import { type HangingRedis, hangingRedis } from '../../../test/support/hanging-redis.js'
import { RedisServer } from '../../../test/support/redis-server.js'
import { type RedisClient, redisReplay } from '../src/index.js'
import { partitionTags } from '../src/store.js'
import { client, client5, disconnectAll, eventually, outcomeOf, unavailable } from './harness.js'

let server: RedisServer
let proxy: HangingRedis
beforeAll(async () => {
  server = await RedisServer.start()
})
beforeEach(async () => {
  proxy = await hangingRedis(server.port)
})
afterEach(async () => {
  disconnectAll()
  await proxy.close()
  await server.command('FLUSHALL')
})
afterAll(() => server.stop())

const TTL = 60_000
const quick = { commandTimeoutMs: 300 }
const versions: [string, (url: string, options?: object) => RedisClient][] = [
  ['ioredis 6', client],
  ['ioredis 5.9', client5],
]

/** A store that has answered once. */
async function warm(redis: RedisClient, options: object = quick): Promise<ReplayStore> {
  const store = redisReplay(redis, options)
  await eventually(async () => store.claim('warm-up', TTL))
  return store
}

const claimsLeft = async () => Number(await server.command('EXISTS', ...keysOf('lost')))
/** Every key that a claim could have, whatever its partition. */
const keysOf = (name: string): [string, ...string[]] =>
  partitionTags('cs', 'replay').map((tag) => `${tag}:${name}`) as [string, ...string[]]

/** Claims `lost` and misses the deadline; how long that took. */
async function claimInVain(store: ReplayStore): Promise<number> {
  const startedMs = performance.now()
  await expect(store.claim('lost', TTL)).rejects.toMatchObject(unavailable)
  return performance.now() - startedMs
}

/** When the server answers again, the store does too, and what missed its deadline was never done. */
async function expectNoLateEffect(store: ReplayStore): Promise<void> {
  expect(await eventually(async () => store.claim('after', TTL))).toMatch(/fresh|seen/)
  expect(await claimsLeft()).toBe(0)
  expect(await store.claim('lost', TTL)).toBe('fresh')
}

/** Refused without a wait, so that an outage of hours neither holds requests back nor fills the memory with them. */
async function expectRefusedAtOnce(store: ReplayStore, why: string): Promise<void> {
  const startedMs = performance.now()
  for (let count = 0; count < 50; count += 1) await expect(store.claim('lost', TTL)).rejects.toThrow(why)
  // 50 deadlines would be 15 s.
  expect(performance.now() - startedMs).toBeLessThan(10_000)
}

describe.each(versions)('with %s on its defaults', (_name, make) => {
  test('[redis-late-effect] [redis-deadline] a server that is stopped: refused in time, nothing later', async () => {
    const store = await warm(make(server.url))
    server.pause()
    expect(await claimInVain(store)).toBeLessThan(8_000)
    server.resume()
    await expectNoLateEffect(store)
  })

  test('[redis-late-effect] a server that is stopped, killed and started again', async () => {
    const store = await warm(make(server.url))
    server.pause()
    await claimInVain(store)
    await server.kill()
    await expect(store.claim('lost', TTL)).rejects.toMatchObject(unavailable)
    await server.restart()
    await expectNoLateEffect(store)
  })

  test('[redis-late-effect] CLIENT PAUSE', async () => {
    const store = await warm(make(server.url))
    await server.command('CLIENT', 'PAUSE', '1500', 'ALL')
    await claimInVain(store)
    await expectNoLateEffect(store)
  })

  test('[redis-late-effect] a network that holds everything back and delivers it later', async () => {
    const store = await warm(make(proxy.url))
    proxy.hang()
    await claimInVain(store)
    proxy.resume()
    await expectNoLateEffect(store)
  })

  test('[redis-late-effect] [redis-resent] a connection that is cut: what ioredis sends again does nothing', async () => {
    const store = await warm(make(proxy.url))
    proxy.hang()
    await claimInVain(store)
    const before = proxy.connections
    proxy.reset()
    proxy.resume()
    await eventually(
      async () => proxy.connections,
      (count) => count > before,
    )
    await expectNoLateEffect(store)
  })

  test('[redis-late-effect] a half-open connection, until TCP gives it up', async () => {
    const store = await warm(make(proxy.url))
    proxy.halfOpen()
    await claimInVain(store)
    await expect(store.claim('lost', TTL)).rejects.toMatchObject(unavailable)
    proxy.reset()
    await expectNoLateEffect(store)
  })

  test('[redis-late-effect] a half-open connection that the client itself finds, through socketTimeout', async () => {
    const store = await warm(make(proxy.url, { socketTimeout: 600 }))
    proxy.halfOpen()
    await claimInVain(store)
    await expectNoLateEffect(store)
  })

  test('[redis-resent] a reply that is lost: the claim that ioredis sends again finds itself, and is fresh', async () => {
    const store = await warm(make(proxy.url), { commandTimeoutMs: 10_000 })
    proxy.hangReplies()
    const claim = store.claim('lost', TTL)
    await eventually(claimsLeft, (left) => left === 1)
    proxy.reset()
    proxy.resume()
    expect(await claim).toBe('fresh')
    expect(await store.claim('lost', TTL)).toBe('seen')
  })

  test('[redis-late-effect] [redis-deadline] a client that gives up before the store does: its timeout counts', async () => {
    const store = await warm(make(server.url, { commandTimeout: 200 }), { commandTimeoutMs: 5_000 })
    server.pause()
    expect(await claimInVain(store)).toBeLessThan(8_000)
    await expect(store.claim('other', TTL)).rejects.toMatchObject(unavailable)
    server.resume()
    await expectNoLateEffect(store)
  })

  test('[redis-recovery] a server that is gone and comes back needs no restart of the app', async () => {
    const store = await warm(make(server.url))
    for (let round = 0; round < 2; round += 1) {
      await server.kill()
      await eventually(
        async () => outcomeOf(store, 'probe'),
        (outcome) => outcome.startsWith('UnavailableError'),
      )
      const startedMs = performance.now()
      await Promise.all(
        Array.from({ length: 20 }, async () => expect(store.claim('probe', TTL)).rejects.toMatchObject(unavailable)),
      )
      expect(performance.now() - startedMs).toBeLessThan(8_000)
      await server.restart()
      expect(await eventually(async () => store.claim(`round-${round}`, TTL))).toBe('fresh')
    }
  })
})

describe('the PING rule', () => {
  test('[redis-ping-rule] after a missed deadline nothing is sent but one probe, until it is answered', async () => {
    const store = await warm(client(proxy.url))
    proxy.hang()
    await claimInVain(store)
    const sent = proxy.bytesSent
    await expectRefusedAtOnce(store, 'the server has not answered since a missed deadline')
    expect(proxy.bytesSent).toBe(sent)
    proxy.resume()
    expect(await eventually(async () => store.claim('after', TTL))).toBe('fresh')
    expect(await claimsLeft()).toBe(0)
  })

  test('[redis-ping-rule] a server that falls silent before its first answer makes one call wait, and no other', async () => {
    const redis = client(proxy.url)
    await eventually(
      async () => redis.status,
      (status) => status === 'ready',
    )
    proxy.hang()
    const store = redisReplay(redis, quick)
    await claimInVain(store)
    await expectRefusedAtOnce(store, 'the server has not answered since a missed deadline')
    proxy.resume()
    await expectNoLateEffect(store)
  })

  test('[redis-ping-rule] what one store learns of a client, all stores on it know', async () => {
    const redis = client(proxy.url)
    const [store, other] = [await warm(redis), redisReplay(redis, { commandTimeoutMs: 60_000, namespace: 'other' })]
    proxy.hang()
    await claimInVain(store)
    await expect(other.claim('a', TTL)).rejects.toThrow('has not answered since a missed deadline')
  })

  test('[redis-ping-rule] the error says why, and keeps its cause', async () => {
    const store = await warm(client(proxy.url))
    proxy.hang()
    await expect(store.claim('lost', TTL)).rejects.toMatchObject({
      dependency: 'replay_store',
      message: expect.stringMatching(/^Redis is unavailable: replay_claim did not answer within \d+ ms$/),
      cause: { code: 'ERR_COUNTERSIGN_UNAVAILABLE' },
    })
  })
})

describe('the ready rule', () => {
  test('[redis-ready-rule] nothing is sent, now or later, by a client that is not connected', async () => {
    const redis = client(server.url, { retryStrategy: () => 100 })
    const store = await warm(redis)
    await server.kill()
    await eventually(
      async () => redis.status,
      (status) => status === 'reconnecting',
    )
    await expect(store.claim('lost', TTL)).rejects.toThrow('Redis is unavailable: the client is reconnecting')
    await server.restart()
    await expectNoLateEffect(store)
  })

  test('[redis-ready-rule] a client that ended is unavailable, and so is one that can never connect', async () => {
    const ended = client(server.url)
    const store = await warm(ended)
    ended.disconnect()
    await expect(store.claim('a', TTL)).rejects.toMatchObject(unavailable)
    await eventually(
      async () => ended.status,
      (status) => status === 'end',
    )
    await expect(store.claim('a', TTL)).rejects.toThrow('the client is end')

    const lost = redisReplay(client('redis://127.0.0.1:1', { lazyConnect: true }), quick)
    await expect(lost.claim('a', TTL)).rejects.toMatchObject(unavailable)
  })

  test('[redis-ready-rule] a server that takes connections and says nothing makes one call wait, and no other', async () => {
    proxy.hang()
    const store = redisReplay(client(proxy.url), quick)
    await claimInVain(store)
    await expectRefusedAtOnce(store, 'the client has not connected since a missed deadline')
    proxy.resume()
    await expectNoLateEffect(store)
    expect(await store.claim('ready', TTL)).toBe('fresh')
  })

  test('[redis-ready-rule] [redis-deadline] a server that takes connections and says nothing: refused in time', async () => {
    proxy.hang()
    for (const [, make] of versions) {
      const store = redisReplay(make(proxy.url), quick)
      expect(await claimInVain(store)).toBeLessThan(8_000)
    }
  })
})

test('[redis-script-flush] SCRIPT FLUSH costs a second try and no refusal', async () => {
  const store = await warm(client(server.url), { commandTimeoutMs: 5_000 })
  await server.command('SCRIPT', 'FLUSH')
  expect(await store.claim('a', TTL)).toBe('fresh')
  await server.command('SCRIPT', 'FLUSH')
  expect(await store.claim('a', TTL)).toBe('seen')
})
