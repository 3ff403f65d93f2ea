import { randomBytes } from 'node:crypto'
import { rfc9421 } from '@countersign/hmac'
import { postgresSecrets } from '@countersign/hmac/postgres'
import type { HmacSecretStore } from '@countersign/hmac/store'
import { redisReplay } from '@countersign/redis'
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals'
import { Redis } from 'ioredis'
import pg from 'pg'
import { recordedAudit } from '../../../test/support/audit-recorder.js'
import { type FakeClock, fakeClock } from '../../../test/support/fake-clock.js'
import { PostgresServer } from '../../../test/support/postgres-server.js'
import { RedisServer } from '../../../test/support/redis-server.js'
import { type Harness, hmacApp, SECRET, send, signed } from './harness.js'
import { migration } from './postgres-harness.js'

const keks = `k1:${randomBytes(32).toString('base64')}`
const format = rfc9421()
/** A deadline is proven with room for whatever else the machine does. */
const IN_TIME_MS = 8000

let app: Harness
let clock: FakeClock
afterEach(() => app.close())

/** One request, its status, what it was refused for, and how long the answer took. */
async function attempt(headers = signed({ format, version: 3, now: clock.now() })) {
  const started = performance.now()
  const answer = await send(app.port, 'POST', '/jobs?a=1', headers)
  const tookMs = performance.now() - started
  expect(tookMs).toBeLessThan(IN_TIME_MS)
  if (answer.status === 503) {
    expect([answer.headers['retry-after'], answer.headers['www-authenticate']]).toEqual(['1', undefined])
  }
  return { status: answer.status, reason: app.last(), tookMs }
}

async function until(status: number): Promise<void> {
  for (;;) {
    clock.advance(1000)
    if ((await attempt()).status === status) return
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}

describe('[hmac-outage] PostgreSQL', () => {
  let server: PostgresServer
  const pools: pg.Pool[] = []
  beforeAll(async () => {
    server = await PostgresServer.start()
    const pool = new pg.Pool({ connectionString: server.url })
    await pool.query(migration)
    await postgresSecrets(pool, { keks, audit: recordedAudit().audit }).insert({
      caller: 'scheduler',
      version: 3,
      secret: SECRET,
    })
    await pool.end()
  }, 60_000)
  afterAll(async () => {
    await server.stop()
    await Promise.allSettled(pools.map((pool) => pool.end()))
  })

  /** A store of its own, as in another process: nothing is cached. */
  function freshStore(): HmacSecretStore {
    const pool = new pg.Pool({ connectionString: server.url })
    pool.on('error', () => undefined)
    pools.push(pool)
    return postgresSecrets(pool, { keks, clock, audit: recordedAudit().audit })
  }

  async function start(): Promise<void> {
    clock = fakeClock(Date.now() + 1000)
    app = await hmacApp({ secrets: freshStore(), callers: ['scheduler'], formats: [format], clock })
  }

  test('stopped: cached secrets are used for 5 minutes and no longer, and the restart is noticed', async () => {
    await start()
    expect((await attempt()).status).toBe(200)
    await server.kill()
    clock.advance(31_000)
    expect((await attempt()).status).toBe(200)
    clock.advance(268_000)
    expect((await attempt()).status).toBe(200)
    clock.advance(1000)
    expect(await attempt()).toMatchObject({ status: 503, reason: 'secret_store' })
    await server.restart()
    await until(200)
  }, 60_000)

  test('stopped before anything was read: 503, and no request is granted', async () => {
    await start()
    await server.kill()
    for (let round = 0; round < 5; round += 1) {
      clock.advance(1000)
      expect(await attempt()).toMatchObject({ status: 503, reason: 'secret_store' })
    }
    expect(app.events.filter(({ type }) => type === 'access.granted')).toEqual([])
    await server.restart()
    await until(200)
  }, 60_000)

  test('hung: one request waits for the deadline, the others are decided immediately, within the bound', async () => {
    await start()
    expect((await attempt()).status).toBe(200)
    server.pause()
    clock.advance(31_000)
    expect((await attempt()).status).toBe(200)
    const times: number[] = []
    for (let round = 0; round < 8; round += 1) {
      clock.advance(1000)
      const { status, tookMs } = await attempt()
      expect(status).toBe(200)
      times.push(tookMs)
    }
    expect(times.sort((a, b) => a - b)[4]).toBeLessThan(500)
    clock.advance(300_000)
    expect(await attempt()).toMatchObject({ status: 503, reason: 'secret_store' })
    server.resume()
    await until(200)
  }, 60_000)

  test('hung before anything was read: 503 in time, for 50 concurrent requests, too', async () => {
    await start()
    server.pause()
    const results = await Promise.all(Array.from({ length: 50 }, () => attempt()))
    expect(new Set(results.map(({ status }) => status))).toEqual(new Set([503]))
    server.resume()
    await until(200)
  }, 60_000)
})

describe('[hmac-outage] Redis', () => {
  let server: RedisServer
  let redis: Redis
  beforeAll(async () => {
    server = await RedisServer.start()
    redis = new Redis(server.url)
    redis.on('error', () => undefined)
  })
  afterAll(async () => {
    redis.disconnect()
    await server.stop()
  })

  async function start(): Promise<void> {
    clock = fakeClock(Date.now())
    app = await hmacApp({ formats: [format], clock, replay: redisReplay(redis) })
    expect((await attempt()).status).toBe(200)
  }

  test('[hmac-store-hung] hung: 503 in time, nothing is used up, and requests pass again when Redis resumes', async () => {
    await start()
    const headers = signed({ format, version: 3, now: clock.now() })
    server.pause()
    expect(await attempt(headers)).toMatchObject({ status: 503, reason: 'replay_store' })
    const others = await Promise.all(Array.from({ length: 20 }, () => attempt()))
    expect(new Set(others.map(({ status }) => status))).toEqual(new Set([503]))
    server.resume()
    await until(200)
    expect((await attempt(headers)).status).toBe(200)
    expect(await attempt(headers)).toMatchObject({ status: 401, reason: 'replayed' })
  })

  test('[hmac-store-down] killed: 503, then requests pass again after its restart', async () => {
    await start()
    await server.kill()
    for (let round = 0; round < 3; round += 1) {
      expect(await attempt()).toMatchObject({ status: 503, reason: 'replay_store' })
    }
    await server.restart()
    await until(200)
  }, 30_000)

  test('[hmac-store-full] full: 503, and what was used stays used', async () => {
    await start()
    const used = signed({ format, version: 3, now: clock.now() })
    expect((await attempt(used)).status).toBe(200)
    await server.command('CONFIG', 'SET', 'maxmemory-policy', 'noeviction')
    await server.command('CONFIG', 'SET', 'maxmemory', '1')
    expect(await attempt()).toMatchObject({ status: 503, reason: 'replay_store' })
    await server.command('CONFIG', 'SET', 'maxmemory', '0')
    expect((await attempt()).status).toBe(200)
    expect(await attempt(used)).toMatchObject({ status: 401, reason: 'replayed' })
  })
})

test('[hmac-store-down] a store that throws or rejects is 503 wherever it does, never a way in', async () => {
  clock = fakeClock()
  const failures: [Partial<Parameters<typeof hmacApp>[0]>, string][] = [
    [{ replay: { claim: () => Promise.reject(new Error('down')) } }, 'replay_store'],
    [
      {
        replay: {
          claim: () => {
            throw new Error('down')
          },
        },
      },
      'replay_store',
    ],
    [{ secrets: brokenStore(() => Promise.reject(new Error('down'))), callers: ['scheduler'] }, 'secret_store'],
    [
      {
        secrets: brokenStore(() => {
          throw new Error('down')
        }),
        callers: ['scheduler'],
      },
      'secret_store',
    ],
  ]
  for (const [options, reason] of failures) {
    await app?.close()
    app = await hmacApp({ formats: [format], clock, ...options })
    expect(await attempt()).toMatchObject({ status: 503, reason })
    expect(await attempt()).toMatchObject({ status: 503, reason })
    expect(app.events).toHaveLength(2)
  }
})

test('[hmac-store-hung] a replay store that never answers is 503 in time, with reportOnly too, and never a way in', async () => {
  clock = fakeClock()
  const replay = { claim: () => new Promise<'fresh'>(() => undefined) }
  app = await hmacApp({ formats: [format], clock, replay })
  expect(await attempt()).toMatchObject({ status: 503, reason: 'replay_store' })
  await app.close()
  const legacy = { headers: ['x-service-key'], keys: { scheduler: ['old-key'] } }
  app = await hmacApp({ formats: [format], clock, replay, legacy, reportOnly: true })
  const headers = { ...signed({ format, version: 3, now: clock.now() }), 'x-service-key': 'old-key' }
  expect(await attempt(headers)).toMatchObject({ status: 200 })
  expect(app.events.at(-1)?.attributes).toMatchObject({ format: 'legacy', signature: 'replay_store' })
}, 30_000)

test('[hmac-store-down] a replay store that answers neither fresh nor seen is 503, not a replay', async () => {
  clock = fakeClock()
  for (const answer of [undefined, null, 'OK', 1, true]) {
    await app?.close()
    app = await hmacApp({ formats: [format], clock, replay: { claim: async () => answer as never } })
    expect(await attempt()).toMatchObject({ status: 503, reason: 'replay_store' })
  }
})

test('[hmac-store-down] a bug in a store is 500, every other error 503, and the event names the error', async () => {
  clock = fakeClock()
  const bug = new TypeError("Cannot read properties of undefined (reading 'rows')")
  const outage = Object.assign(new Error('connect'), { code: 'ECONNREFUSED' })
  const garbled = new SyntaxError('Unexpected token')
  const throwing = (error: Error) => () => {
    throw error
  }
  const rejecting = (error: Error) => async () => Promise.reject(error)
  for (const fail of [throwing, rejecting]) {
    for (const [error, status, name] of [
      [bug, 500, 'TypeError'],
      [outage, 503, 'Error'],
      [garbled, 503, 'SyntaxError'],
    ] as const) {
      for (const [reason, options] of [
        ['secret_store', { secrets: brokenStore(fail(error)), callers: ['scheduler'] }],
        ['replay_store', { replay: { claim: fail(error) } }],
      ] as const) {
        await app?.close()
        app = await hmacApp({ formats: [format], clock, ...options })
        const expected = { status, reason: status === 500 ? 'internal_error' : reason }
        const answer = await send(app.port, 'POST', '/jobs?a=1', signed({ format, version: 3, now: clock.now() }))
        expect({ status: answer.status, reason: app.last() }).toEqual(expected)
        const { attributes } = app.events.at(-1) ?? {}
        expect(attributes).toMatchObject({ error: name, at: expect.stringContaining('outages.test') })
        if (error === outage)
          expect(attributes).toMatchObject({ code: 'ECONNREFUSED', format: 'rfc9421', skew_seconds: 0 })
      }
    }
  }
})

test('[hmac-store-down] while a secret store is left alone after a failure, events name what it threw', async () => {
  clock = fakeClock()
  const outage = Object.assign(new Error('connect'), { code: 'ECONNREFUSED' })
  let isBroken = true
  const secrets = brokenStore(() => (isBroken ? Promise.reject(outage) : Promise.resolve([])))
  app = await hmacApp({ formats: [format], clock, secrets, callers: ['scheduler'] })
  expect(await attempt()).toMatchObject({ status: 503, reason: 'secret_store' })
  isBroken = false
  expect(await attempt()).toMatchObject({ status: 503, reason: 'secret_store' })
  expect(app.events.map(({ attributes }) => attributes?.code)).toEqual(['ECONNREFUSED', 'ECONNREFUSED'])
})

function brokenStore(versions: HmacSecretStore['versions']): HmacSecretStore {
  const broken = () => versions('') as never
  return {
    versions,
    insert: broken,
    retire: broken,
    revoke: broken,
    rotate: broken,
    acceptShared: broken,
    forget: broken,
    list: broken,
  }
}
