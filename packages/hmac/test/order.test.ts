import { createHook } from 'node:async_hooks'
import { Readable } from 'node:stream'
import type { ReplayStore } from '@countersign/core'
import { createAudit } from '@countersign/core'
import {
  memorySecrets,
  type RequireHmacOptions,
  requireHmac,
  rfc9421,
  type SignatureFormat,
  xHeaders,
} from '@countersign/hmac'
import { afterEach, expect, test } from '@jest/globals'
import express, { type RequestHandler } from 'express'
import { type RunningServer, serve } from '../../../test/support/http-server.js'
import { AUDIENCE, SECRET, send, signed, untilBuffered } from './harness.js'

/** An app that counts what a gate costs before it has decided. */
interface Counted extends RunningServer {
  /** `read` counts bytes that were read before the verdict: what is refused is discarded after it, up to a bound. */
  readonly counts: { secrets: number; replay: number; read: number; promises: number; sameTick: number }
}

let app: Counted
afterEach(() => app.close())

async function countedApp(
  options: Partial<RequireHmacOptions> = {},
  format: SignatureFormat = rfc9421(),
): Promise<Counted> {
  const counts = { secrets: 0, replay: 0, read: 0, promises: 0, sameTick: 0 }
  const store = memorySecrets([{ caller: 'scheduler', version: 3, secret: SECRET }])
  const secrets = {
    ...store,
    versions: (caller: string) => {
      counts.secrets += 1
      return store.versions(caller)
    },
  }
  let isDecided = false
  const claims = new Set<string>()
  const replay: ReplayStore = {
    claim: (key) => {
      counts.replay += 1
      if (claims.has(key)) return 'seen'
      claims.add(key)
      return 'fresh'
    },
  }
  const gate = requireHmac({
    secrets,
    audience: AUDIENCE,
    formats: [format],
    replay,
    audit: createAudit(),
    onDenied: ({ respond }) => {
      isDecided = true
      respond()
    },
    ...options,
  })
  const counted: RequestHandler = (request, response, next) => {
    const read = request.read
    request.read = (size?: number) => {
      const chunk = read.call(request, size) as Buffer | null
      if (chunk !== null && !isDecided) counts.read += chunk.length
      return chunk
    }
    isDecided = false
    let isSameTick = true
    const hook = createHook({
      init: (_id, type) => {
        if (type === 'PROMISE') counts.promises += 1
      },
    }).enable()
    gate(request, response, (error) => {
      hook.disable()
      isDecided = true
      if (isSameTick) counts.sameTick += 1
      next(error)
    })
    hook.disable()
    isSameTick = false
  }
  const running = await serve(express().use(counted, (_request, response) => void response.end('ok')))
  return { ...running, counts }
}

const now = () => Date.now()
const good = (body = '') => signed({ format: rfc9421(), version: 3, body, now: now() })
/** A good signature but for its MAC. */
const wrongMac = (body = '') => ({ ...good(body), Signature: `sig1=:${Buffer.alloc(32).toString('base64')}:` })

test('[hmac-order] a wrong MAC over a declared digest costs no byte of the body and no replay claim', async () => {
  app = await countedApp()
  const body = Buffer.alloc(50_000, 'x')
  expect((await send(app.port, 'POST', '/jobs?a=1', wrongMac(body.toString()), body)).status).toBe(401)
  expect(app.counts).toMatchObject({ read: 0, replay: 0, promises: 0 })
  expect((await send(app.port, 'POST', '/jobs?a=1', good(body.toString()), body)).status).toBe(200)
  expect(app.counts).toMatchObject({ replay: 1, read: 50_000 })
})

test('[hmac-order] a wrong MAC is refused while no byte of its body is sent', async () => {
  app = await countedApp()
  const headers = { ...wrongMac('x'.repeat(1000)), 'content-length': '1000' }
  const never = new Readable({ read: () => undefined })
  const answer = send(app.port, 'POST', '/jobs?a=1', headers, never)
  expect((await answer).status).toBe(401)
  expect(app.counts).toMatchObject({ read: 0, replay: 0 })
})

test.each([
  ['headers that do not parse', { ...{ signature: 'x' } }],
  ['a caller nobody knows', () => signed({ format: rfc9421(), version: 3, caller: 'stranger', now: now() })],
  ['a time outside the window', () => signed({ format: rfc9421(), version: 3, now: now() - 400_000 })],
])('[hmac-order] %s: neither store is asked', async (_what, headers) => {
  app = await countedApp()
  const all = typeof headers === 'function' ? headers() : headers
  expect((await send(app.port, 'POST', '/jobs?a=1', all)).status).toBe(401)
  expect(app.counts).toMatchObject({ secrets: 0, replay: 0, read: 0, promises: 0 })
})

test('[hmac-order] a body with another digest claims nothing', async () => {
  app = await countedApp()
  const headers = good('hello')
  expect((await send(app.port, 'POST', '/jobs?a=1', headers, Buffer.from('jello'))).status).toBe(401)
  expect(app.counts).toMatchObject({ secrets: 1, replay: 0, read: 5 })
  expect((await send(app.port, 'POST', '/jobs?a=1', headers, Buffer.from('hello'))).status).toBe(200)
  expect(app.counts.replay).toBe(1)
})

test('[hmac-order] a length beyond the limit is refused before a byte is read', async () => {
  app = await countedApp({ maxBodyBytes: 10 })
  const headers = { ...good('x'.repeat(1000)), 'content-length': '1000' }
  const never = new Readable({ read: () => undefined })
  expect((await send(app.port, 'POST', '/jobs?a=1', headers, never)).status).toBe(413)
  expect(app.counts).toMatchObject({ read: 0, replay: 0 })
})

test.each([
  ['rfc9421', rfc9421()],
  ['xHeaders', xHeaders()],
])('[hmac-no-promise] a request without a body goes through in the same tick, in %s', async (_name, format) => {
  app = await countedApp({}, format)
  // From one moment: when a second passes between two rounds, the later one must not be a copy.
  const start = now()
  for (let round = 0; round < 3; round += 1) {
    const headers = signed({ format, version: 3, now: start - round * 1000 })
    expect((await send(app.port, 'POST', '/jobs?a=1', headers)).status).toBe(200)
  }
  expect(app.counts).toMatchObject({ sameTick: 3, promises: 0, secrets: 3 })
})

test('[hmac-no-promise] a refusal, a copy and the old key are decided in the same tick, too', async () => {
  app = await countedApp({ legacy: { headers: ['x-service-key'], keys: { scheduler: ['old-key'] } } })
  const headers = good()
  const statuses = [headers, headers, wrongMac(), { 'x-service-key': 'old-key' }, {}].map(
    async (all) => (await send(app.port, 'POST', '/jobs?a=1', all)).status,
  )
  expect((await Promise.all(statuses)).sort()).toEqual([200, 200, 401, 401, 401])
  expect(app.counts).toMatchObject({ sameTick: 2, promises: 0 })
})

test.each([
  ['rfc9421', rfc9421()],
  ['xHeaders', xHeaders()],
])('[hmac-no-promise] a body that has come needs no promise, in %s', async (_name, format) => {
  app = await countedApp({}, format)
  const inner = app.server.listeners('request')[0] as express.Express
  const running = await serve(express().use(untilBuffered, inner))
  const headers = signed({ format, version: 3, body: 'hello', now: now() })
  expect((await send(running.port, 'POST', '/jobs?a=1', headers, Buffer.from('hello'))).status).toBe(200)
  await running.close()
  expect(app.counts).toMatchObject({ sameTick: 1, promises: 0, read: 5 })
})

test('[hmac-no-promise] a body that the platform kept needs no promise', async () => {
  const outer = express().use(
    express.raw({
      type: () => true,
      verify: (request, _response, bytes) => {
        ;(request as { rawBody?: Buffer }).rawBody = bytes
      },
    }),
  )
  app = await countedApp({ body: 'rawBody' })
  const inner = app.server.listeners('request')[0] as express.Express
  outer.use(inner)
  const running = await serve(outer)
  expect((await send(running.port, 'POST', '/jobs?a=1', good('hello'), Buffer.from('hello'))).status).toBe(200)
  await running.close()
  expect(app.counts).toMatchObject({ sameTick: 1, promises: 0, read: 0 })
})
