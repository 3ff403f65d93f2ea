import { memoryReplay, principalOf, type ReplayStore } from '@countersign/core'
import { type RequireHmacOptions, requireHmac, rfc9421, type SignatureFormat, xHeaders } from '@countersign/hmac'
import { afterEach, describe, expect, test } from '@jest/globals'
import express, { type RequestHandler } from 'express'
import { type RunningServer, serve } from '../../../test/support/http-server.js'
import { AUDIENCE, type Harness, hmacApp, send, signed } from './harness.js'

let app: Harness
let running: RunningServer | undefined
afterEach(async () => {
  await running?.close()
  running = undefined
  await app.close()
})

const formats: [string, SignatureFormat][] = [
  ['rfc9421', rfc9421()],
  ['xHeaders', xHeaders()],
]

/** A gate of its own on the harness's secrets and clock. Its events are the harness's. */
function gateOf(options: Partial<RequireHmacOptions>) {
  const { secrets, clock } = app
  return requireHmac({ secrets, clock, audience: AUDIENCE, ...options })
}

async function through(format: SignatureFormat, ...handlers: RequestHandler[]) {
  running = await serve(
    express().use(...handlers, (request, response) => {
      response.json({ caller: principalOf(request, 'hmac').caller, body: request.body })
    }),
  )
  const { port } = running
  const type = { 'content-type': 'application/json' }
  const headers = signed({ format, version: 3, headers: type, body: '{"a":1}', now: app.clock.now() })
  return async (body = '{"a":1}', change: Record<string, string> = {}) => {
    const answer = await send(port, 'POST', '/jobs?a=1', { ...type, ...headers, ...change }, Buffer.from(body))
    return [answer.status, answer.status === 200 ? JSON.parse(answer.text) : undefined]
  }
}

const GRANTED = [200, { caller: 'scheduler', body: { a: 1 } }]

describe.each(formats)('two gates made separately, in %s,', (_name, format) => {
  test('verify separately: the second gate does not take the request for a replay, and both refuse a copy', async () => {
    app = await hmacApp()
    const keys: string[] = []
    const store = memoryReplay({ clock: app.clock })
    const replay: ReplayStore = {
      claim(key, ttlMs) {
        keys.push(key)
        return store.claim(key, ttlMs)
      },
    }
    const gates = [gateOf({ formats: [format], replay }), gateOf({ formats: [format], replay })]
    const post = await through(format, ...gates, express.json())
    expect([await post(), await post()]).toEqual([GRANTED, [401, undefined]])
    expect([keys.length, new Set(keys).size]).toEqual([2, 1])
  })

  test('claim in each of two replay stores', async () => {
    app = await hmacApp()
    const stores = [memoryReplay({ clock: app.clock }), memoryReplay({ clock: app.clock })]
    const gates = stores.map((replay) => gateOf({ formats: [format], replay }))
    const post = await through(format, ...gates, express.json())
    expect([await post(), await post()]).toEqual([GRANTED, [401, undefined]])
  })

  test('both verify the body, which the first one feeds back', async () => {
    app = await hmacApp()
    const replay = memoryReplay({ clock: app.clock })
    const gate = () => gateOf({ formats: [format], replay })
    const read: number[] = []
    const count: RequestHandler = (request, _response, next) => {
      read.push(request.rawBody?.length ?? -1)
      next()
    }
    const post = await through(format, gate(), count, gate(), express.json())
    expect([await post('{"a":2}'), await post()]).toEqual([[401, undefined], GRANTED])
    expect(read).toEqual([7])
  })

  test('both verify when a parser has read the body between them', async () => {
    app = await hmacApp()
    const replay = memoryReplay({ clock: app.clock })
    const gate = () => gateOf({ formats: [format], replay })
    const post = await through(format, gate(), express.json(), gate())
    expect(await post()).toEqual(GRANTED)
  })

  test('differ in their limit of the body, their window and their audience: the narrow one refuses', async () => {
    app = await hmacApp()
    const narrow = format.name === 'rfc9421' ? rfc9421({ windowBackSeconds: 10 }) : xHeaders({ windowBackSeconds: 10 })
    for (const [options, status] of [
      [{ formats: [format], maxBodyBytes: 3 }, 413],
      [{ formats: [narrow] }, 401],
      [{ formats: [format], audience: 'other.example.com' }, 401],
    ] as const) {
      const post = await through(format, gateOf({ formats: [format] }), gateOf(options), express.json())
      app.clock.advance(11_000)
      expect(await post()).toEqual([status, undefined])
      await running?.close()
    }
  })
})

test('one gate on a router and on its route, and what is derived from it, verify once', async () => {
  app = await hmacApp()
  let claims = 0
  const replay: ReplayStore = {
    claim: () => {
      claims += 1
      return claims === 1 ? 'fresh' : 'seen'
    },
  }
  const gate = gateOf({ formats: [rfc9421()], replay })
  const post = await through(rfc9421(), gate, gate, gate.optional(), express.json())
  expect(await post()).toEqual(GRANTED)
  expect(claims).toBe(1)
})

test('optional() lets a request without any field of the gate through, and refuses every other', async () => {
  app = await hmacApp()
  const legacy = { headers: ['x-service-key'], keys: { scheduler: ['old-key'] } }
  for (const reportOnly of [false, true]) {
    const gate = gateOf({ formats: [rfc9421()], legacy, reportOnly }).optional()
    const other = await serve(express().use(gate, (request, response) => void response.json(request.principal ?? null)))
    const status = async (headers: Record<string, string>) => (await send(other.port, 'POST', '/jobs', headers)).status
    expect(await status({})).toBe(200)
    expect(await status({ signature: '' })).toBe(401)
    expect(await status({ 'x-service-key': '' })).toBe(401)
    // With reportOnly the old key alone decides; a signature without one is presented, and refused.
    expect(await status({ ...signed({ format: rfc9421(), version: 3, now: 0 }) })).toBe(401)
    await other.close()
  }
})

test('the handler is called requireHmac, and its kind is hmac', async () => {
  app = await hmacApp()
  const gate = gateOf({})
  expect([gate.name, gate.kind, gate.reads]).toEqual(['requireHmac', 'hmac', ['signature-input', 'signature']])
})
