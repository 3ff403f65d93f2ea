import { once } from 'node:events'
import { audit } from '@countersign/core'
import { memorySecrets, requireHmac, rfc9421, xHeaders } from '@countersign/hmac'
import { requireOAuthBearer } from '@countersign/oauth-bearer'
import { redisReplay } from '@countersign/redis'
import {
  fakeClock,
  hangingRedis,
  recordAudit,
  resetAudit,
  type SignedRequestDefect,
  signedRequest,
  type TokenShape,
  testIssuer,
} from '@countersign/testing'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import express from 'express'
import { Redis } from 'ioredis'
import request from 'supertest'
import { serve } from '../../../test/support/http-server.js'
import { RedisServer } from '../../../test/support/redis-server.js'

const SECRET = 'a-secret-of-the-tests-that-is-long-enough'
const AUDIENCE = 'billing.example.com'

describe('resetAudit', () => {
  test('[testing-reset-audit] makes the emitter of the process as new: no sinks, and open again', async () => {
    const told: unknown[] = []
    audit.subscribe((event) => void told.push(event))
    audit.subscribe(() => Promise.reject(new Error('full')), { required: true })
    await audit.close()
    expect(await audit.emit({ type: 'access.granted' })).toBe(false)
    resetAudit()
    expect([audit.active, audit.stats().sinks, audit.emit({ type: 'access.granted' })]).toEqual([false, [], true])
    const stop = audit.subscribe((event) => void told.push(event))
    expect([audit.emit({ type: 'access.granted' }), told.length]).toEqual([true, 1])
    await audit.close()
    stop()
    resetAudit()
  })

  test('[testing-reset-audit] is not undone by a close that was under way', async () => {
    let flushed: () => void = () => undefined
    const flush = () =>
      new Promise<void>((resolve) => {
        flushed = resolve
      })
    audit.subscribe({ write: () => undefined, flush })
    const closing = audit.close()
    await new Promise(setImmediate)
    resetAudit()
    flushed()
    await closing
    expect([audit.active, audit.emit({ type: 'access.granted' })]).toEqual([false, true])
  })
})

describe('recordAudit and fakeClock', () => {
  test('[testing-recorder] record what gates report, and move their time', async () => {
    const { audit, events, reasons, lastDecision, clear } = recordAudit()
    const clock = fakeClock(Date.UTC(2026, 0, 1))
    const secrets = memorySecrets([{ caller: 'scheduler', version: 1, secret: SECRET }], { clock, audit })
    const app = express().post(
      '/',
      requireHmac({ secrets, audience: AUDIENCE, clock, audit }),
      (_request, response) => {
        response.end()
      },
    )
    const signed = () =>
      signedRequest({ url: '/', caller: 'scheduler', version: 1, secret: SECRET, audience: AUDIENCE, now: clock })
    const early = signed()
    await request(app).post('/').set(signed().headers).expect(200)
    clock.advance(3_600_000)
    await request(app).post('/').set(early.headers).expect(401)
    await request(app).post('/').set(signed().headers).expect(200)
    clock.jump(-3_600_000)
    expect([clock.now(), clock.monotonic()]).toEqual([Date.UTC(2026, 0, 1), 3_600_000])
    expect(reasons()).toEqual([undefined, 'expired', undefined])
    expect(lastDecision()).toMatchObject({ type: 'access.granted', time: expect.any(String) })
    clear()
    expect(events).toEqual([])
  })
})

describe('signedRequest', () => {
  async function app() {
    const { audit, reasons } = recordAudit()
    const secrets = memorySecrets([{ caller: 'scheduler', version: 1, secret: SECRET }])
    const gate = requireHmac({ secrets, audience: AUDIENCE, formats: [rfc9421(), xHeaders()], audit })
    const server = express().use(gate, express.json(), (incoming, response) => {
      response.json({ body: incoming.body ?? null, id: incoming.principal?.id })
    })
    return { ...(await serve(server)), reasons }
  }
  const signer = { caller: 'scheduler', version: 1, secret: SECRET, audience: AUDIENCE }
  async function send(one: ReturnType<typeof signedRequest>): Promise<Response> {
    const { method, url, headers, body } = one
    return fetch(url, { method, headers, ...(body && { body: new Uint8Array(body) }) })
  }

  test.each([
    ['rfc9421', rfc9421()],
    ['xHeaders', xHeaders()],
  ])('[testing-signed-request] is granted, once: %s', async (_name, format) => {
    const { url, close, reasons } = await app()
    const one = signedRequest({ ...signer, format, url: `${url}/internal?a=1`, body: { hello: 'wörld' } })
    const response = await send(one)
    expect([response.status, await response.json()]).toEqual([200, { body: { hello: 'wörld' }, id: 'scheduler' }])
    expect((await send(one)).status).toBe(401)
    expect((await send(signedRequest({ ...signer, format, url, method: 'GET' }))).status).toBe(200)
    expect((await send(signedRequest({ ...signer, format, url, body: 'text' }))).status).toBe(200)
    expect((await send(signedRequest({ ...signer, format, url, body: new Uint8Array([0, 255]) }))).status).toBe(200)
    expect(reasons()).toEqual([undefined, 'replayed', undefined, undefined, undefined])
    await close()
  })

  test.each<[SignedRequestDefect, string]>([
    ['expired', 'expired'],
    ['wrong_secret', 'bad_signature'],
    ['altered_body', 'digest_mismatch'],
    ['altered_path', 'bad_signature'],
    ['wrong_audience', 'bad_signature'],
    ['unknown_caller', 'unknown_caller'],
  ])('[testing-signed-request] with the defect %s is refused for it', async (defect, reason) => {
    const { url, close, reasons } = await app()
    const response = await send(signedRequest({ ...signer, url: `${url}/internal`, body: { a: 1 }, defect }))
    expect(response.status).toBe(401)
    expect(reasons()).toEqual([reason])
    await close()
  })
})

describe('testIssuer', () => {
  async function app(...args: Parameters<typeof testIssuer>) {
    const issuer = await testIssuer(...args)
    const { audit, reasons } = recordAudit()
    const gate = requireOAuthBearer({ issuer: issuer.url, resource: issuer.resource, audit })
    const running = await serve(
      express().get('/', gate, (incoming, response) => {
        response.json(incoming.principal)
      }),
    )
    return {
      issuer,
      reasons,
      get: (token: string) => fetch(running.url, { headers: { authorization: `Bearer ${token}` } }),
      close: async () => {
        await running.close()
        await issuer.stop()
      },
    }
  }

  test.each(['RS256', 'PS256', 'ES256', 'EdDSA'] as const)(
    '[testing-issuer] issues tokens that are granted: %s',
    async (algorithm) => {
      const { issuer, get, close } = await app({ algorithm, resource: 'https://files.example.com' })
      const response = await get(await issuer.token({ claims: { sub: 'ada', scope: 'a b' } }))
      expect(response.status).toBe(200)
      expect(await response.json()).toMatchObject({ kind: 'oauth-bearer' })
      expect(issuer.requests).toContain('/jwks')
      await close()
    },
  )

  const shapes: Record<TokenShape, true> = {
    expired: true,
    not_yet_valid: true,
    wrong_issuer: true,
    wrong_audience: true,
    no_audience: true,
    wrong_type: true,
    unknown_key: true,
    wrong_signature: true,
    altered: true,
    unsigned: true,
    public_key_as_secret: true,
    not_a_token: true,
  }
  test('[testing-issuer] issues bad tokens of every shape, each refused with 401', async () => {
    const { issuer, get, reasons, close } = await app()
    expect((await get(await issuer.token())).status).toBe(200)
    for (const shape of Object.keys(shapes) as TokenShape[]) {
      expect([shape, (await get(await issuer.badToken(shape))).status]).toEqual([shape, 401])
    }
    expect(new Set(reasons()).size).toBeGreaterThan(5)
    await close()
  })

  test('[testing-issuer] rotates its keys', async () => {
    const { issuer, get, close } = await app()
    const old = await issuer.token()
    expect((await get(old)).status).toBe(200)
    await issuer.rotateKey()
    expect((await get(await issuer.token())).status).toBe(200)
    expect((await get(old)).status).toBe(200)
    await close()
  })

  test.each(['fail', 'hang', 'drop', 'stop'] as const)(
    '[testing-issuer] has outages on demand, which are 503 and end: %s',
    async (outage) => {
      const issuer = await testIssuer()
      const token = await issuer.token()
      const { audit } = recordAudit()
      const gateOn = () => {
        const gate = requireOAuthBearer({ issuer: issuer.url, resource: issuer.resource, audit })
        return express().get('/', gate, (_incoming, response) => void response.end())
      }
      await issuer[outage]()
      const response = await request(gateOn()).get('/').set('authorization', `Bearer ${token}`)
      expect([response.status, response.headers['www-authenticate']]).toEqual([503, undefined])
      issuer.recover()
      await issuer.start()
      await request(gateOn()).get('/').set('authorization', `Bearer ${token}`).expect(200)
      await issuer.stop()
    },
  )
})

describe('hangingRedis', () => {
  let server: RedisServer
  beforeAll(async () => {
    server = await RedisServer.start('--requirepass', 'secret')
  })
  afterAll(() => server.stop())

  test('keeps the order of a connection: what is sent after a delay does not overtake what was delayed', async () => {
    const proxy = await hangingRedis(`redis://:secret@127.0.0.1:${server.port}`)
    const redis = new Redis(proxy.url)
    try {
      await redis.ping()
      for (let round = 0; round < 10; round += 1) {
        proxy.delay(50)
        const { bytesSent } = proxy
        const late = redis.echo('late')
        while (proxy.bytesSent === bytesSent) await new Promise(setImmediate)
        proxy.delay(0)
        const quick = redis.echo('quick')
        if (round % 2 === 1) proxy.resume()
        expect(await Promise.all([late, quick])).toEqual(['late', 'quick'])
      }
    } finally {
      redis.disconnect()
      await proxy.close()
    }
  })

  test('[testing-hanging-redis] delivers what a client sent before it gave up, and then that it has closed', async () => {
    const proxy = await hangingRedis(`redis://:secret@127.0.0.1:${server.port}`)
    const direct = new Redis({ port: server.port, password: 'secret' })
    const redis = new Redis(proxy.url, { retryStrategy: () => null })
    const clients = async () => Number(/connected_clients:(\d+)/.exec(await direct.info('clients'))?.[1])
    try {
      await redis.ping()
      const before = await clients()
      proxy.hang()
      const { bytesSent } = proxy
      redis.set('sent-before', 'yes').catch(() => undefined)
      while (proxy.bytesSent === bytesSent) await new Promise(setImmediate)
      const closed = once(redis, 'close')
      redis.disconnect()
      await closed
      expect([await direct.get('sent-before'), await clients()]).toEqual([null, before])
      proxy.resume()
      while ((await clients()) === before) await new Promise(setImmediate)
      expect(await direct.get('sent-before')).toBe('yes')
    } finally {
      redis.disconnect()
      direct.disconnect()
      await proxy.close()
    }
  })

  test('[testing-hanging-redis] stands before a Redis by URL, hangs, delays, cuts and recovers', async () => {
    const proxy = await hangingRedis(`redis://:secret@127.0.0.1:${server.port}`)
    const redis = new Redis(proxy.url, { retryStrategy: () => 20 })
    redis.on('error', () => undefined)
    const store = redisReplay(redis, { commandTimeoutMs: 500 })
    const claim = async (key: string) => Promise.resolve(store.claim(key, 60_000)).catch((error: Error) => error.name)
    const until = async (key: string) => {
      for (let count = 0; count < 200; count += 1) {
        const result = await claim(`${key}${count}`)
        if (result === 'fresh') return result
        await new Promise((resolve) => setTimeout(resolve, 20))
      }
      return 'never'
    }
    expect(await until('start')).toBe('fresh')
    const before = proxy.bytesSent
    expect(await claim('a')).toBe('fresh')
    expect(proxy.bytesSent).toBeGreaterThan(before)

    proxy.hang()
    expect(await claim('b')).toBe('UnavailableError')
    proxy.resume()
    expect(await until('resumed')).toBe('fresh')

    proxy.delay(2_000)
    expect(await claim('c')).toBe('UnavailableError')
    proxy.resume()
    expect(await until('on-time')).toBe('fresh')

    const { connections } = proxy
    proxy.reset()
    expect(await until('again')).toBe('fresh')
    expect(proxy.connections).toBeGreaterThan(connections)
    redis.disconnect()
    await proxy.close()
  })

  test.each(['rediss://127.0.0.1:6379', 'http://127.0.0.1', 'somewhere'])(
    '[testing-hanging-redis] refuses %s',
    async (target) => {
      await expect(hangingRedis(target)).rejects.toMatchObject({
        name: 'OptionError',
        code: 'ERR_COUNTERSIGN_OPTION_INVALID',
      })
    },
  )
})
