import { once } from 'node:events'
import { request as httpRequest } from 'node:http'
import { connect, type Socket } from 'node:net'
import { pipeline } from 'node:stream/promises'
import { gzipSync } from 'node:zlib'
import type { ReplayStore } from '@countersign/core'
import { memorySecrets, requireHmac, xHeaders } from '@countersign/hmac'
import { afterEach, describe, expect, jest, test } from '@jest/globals'
import express, { type RequestHandler } from 'express'
import multer from 'multer'
import { recordedAudit } from '../../../test/support/audit-recorder.js'
import { serve } from '../../../test/support/http-server.js'
import { catchWarnings } from '../../../test/support/warnings.js'
import { AUDIENCE, type Harness, hmacApp, SECRET, send, signed, untilBuffered } from './harness.js'

let app: Harness
afterEach(() => app.close())

const slowReplay: ReplayStore = {
  claim: () => new Promise((resolve) => setTimeout(() => resolve('fresh'), 20)),
}

async function post(body: Uint8Array, headers: Record<string, string> = {}) {
  const signature = signed({ now: app.clock.now(), body })
  return send(app.port, 'POST', '/jobs?a=1', { ...headers, ...signature }, body)
}

describe.each([
  ['when the gate is asked before it has come', {}],
  ['when it has come before the gate is asked', { before: [untilBuffered] }],
  ['after a wait for the replay store', { replay: slowReplay }],
  ['after a wait for it and one for the replay store', { before: [untilBuffered], replay: slowReplay }],
])('the body is fed back %s', (_when, options) => {
  test.each([
    ['express.json', express.json(), 'application/json', '{"a":1}', { a: 1 }],
    ['express.urlencoded', express.urlencoded(), 'application/x-www-form-urlencoded', 'a=1', { a: '1' }],
    ['express.text', express.text(), 'text/plain', 'hello', 'hello'],
  ])('to %s', async (_name, parser, type, body, expected) => {
    app = await hmacApp({ ...options, after: [parser] })
    const answer = await post(Buffer.from(body), { 'content-type': type })
    expect(JSON.parse(answer.text).body).toEqual(expected)
  })

  test('[hmac-gzip] to express.json as gzip, which is hashed as it came over the wire', async () => {
    app = await hmacApp({ ...options, after: [express.json()] })
    const body = gzipSync('{"a":1}')
    const answer = await post(body, { 'content-type': 'application/json', 'content-encoding': 'gzip' })
    expect(JSON.parse(answer.text).body).toEqual({ a: 1 })
  })

  test('[hmac-multipart] to multer', async () => {
    app = await hmacApp({ ...options, after: [multer().none() as RequestHandler] })
    const body = Buffer.from('--b\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n--b--\r\n')
    const answer = await post(body, { 'content-type': 'multipart/form-data; boundary=b' })
    expect(JSON.parse(answer.text).body).toEqual({ a: '1' })
  })

  test('to a pipeline, all 700 KiB of it', async () => {
    const received: Buffer[] = []
    const pipe: RequestHandler = async (request, _response, next) => {
      await pipeline(request, async (source) => {
        for await (const chunk of source) received.push(chunk as Buffer)
      })
      next()
    }
    app = await hmacApp({ ...options, after: [pipe] })
    const body = Buffer.alloc(700 * 1024, 'x')
    expect((await post(body)).status).toBe(200)
    expect(Buffer.concat(received).equals(body)).toBe(true)
  })

  test('[hmac-empty-chunked] when it is chunked and empty', async () => {
    app = await hmacApp({ ...options, after: [express.json()] })
    const headers = { ...signed({ now: app.clock.now() }), 'transfer-encoding': 'chunked' }
    expect((await send(app.port, 'POST', '/jobs?a=1', headers)).status).toBe(200)
  })
})

test('a handler that leaves the body unread leaves the connection usable', async () => {
  app = await hmacApp()
  const socket = connect(app.port, '127.0.0.1')
  let text = ''
  socket.on('data', (chunk) => {
    text += chunk
  })
  for (const target of ['/one', '/two']) {
    const headers = Object.entries(signed({ target, body: 'hello', now: app.clock.now() }))
    const lines = headers.map(([name, value]) => `${name}: ${value}\r\n`).join('')
    socket.write(`POST ${target} HTTP/1.1\r\nHost: x\r\n${lines}Content-Length: 5\r\n\r\nhello`)
    const answers = target === '/one' ? 1 : 2
    while (text.split('HTTP/1.1 200').length - 1 < answers) await once(socket, 'data')
  }
  socket.destroy()
})

test.each([
  ['declared or streamed', []],
  ['and has come before the gate is asked', [untilBuffered]],
])('[hmac-oversize] a body beyond the limit is 413, %s, and the client sees the status', async (_when, before) => {
  app = await hmacApp({ maxBodyBytes: 1000, before })
  expect((await post(Buffer.alloc(1000))).status).toBe(200)
  expect((await post(Buffer.alloc(1001))).status).toBe(413)
  const headers = { ...signed({ now: app.clock.now() }), 'transfer-encoding': 'chunked' }
  expect((await send(app.port, 'POST', '/jobs?a=1', headers, Buffer.alloc(100_000))).status).toBe(413)
  expect(app.events.map((event) => event.reason)).toEqual([undefined, 'body_too_large', 'body_too_large'])
})

test('[hmac-oversize] the limit is 4 MiB where nothing is said', async () => {
  app = await hmacApp({})
  const most = 4 * 1024 * 1024
  expect((await post(Buffer.alloc(most))).status).toBe(200)
  expect((await post(Buffer.alloc(most + 1))).status).toBe(413)
})

test.each([
  ['beyond the limit', () => signed({ now: app.clock.now() }), 413],
  ['without a signature', () => ({}), 401],
])(
  '[hmac-oversize] an upload without end, %s, is refused, and its connection closed within the bound',
  async (_what, headers, status) => {
    app = await hmacApp({ maxBodyBytes: 1000 })
    const request = httpRequest({
      host: '127.0.0.1',
      port: app.port,
      method: 'POST',
      path: '/jobs?a=1',
      headers: { ...headers(), 'transfer-encoding': 'chunked' },
    })
    request.on('error', () => undefined)
    const timer = setInterval(() => request.write(Buffer.alloc(64 * 1024)), 5)
    const [socket] = (await once(app.server, 'connection')) as [Socket]
    const [response] = (await once(request, 'response')) as [{ statusCode: number; resume(): void }]
    expect(response.statusCode).toBe(status)
    response.resume()
    await once(request, 'close')
    clearInterval(timer)
    // The bound, and what the buffers on the way hold.
    expect(socket.bytesRead).toBeLessThan(600_000)
  },
)

test('[hmac-abort] a client that goes away midway is one event, and nothing hangs', async () => {
  let arrive: () => void = () => undefined
  const arrived = new Promise<void>((resolve) => {
    arrive = resolve
  })
  const afterGate: RequestHandler = (_request, _response, next) => {
    next()
    arrive()
  }
  app = await hmacApp({ before: [afterGate] })
  const headers = { ...signed({ now: app.clock.now(), body: 'hello' }), 'content-length': '5' }
  const request = httpRequest({ host: '127.0.0.1', port: app.port, method: 'POST', path: '/jobs?a=1', headers })
  request.on('error', () => undefined)
  request.write('he')
  await arrived
  request.destroy()
  const until = performance.now() + 2000
  while (app.events.length === 0 && performance.now() < until) await new Promise((resolve) => setTimeout(resolve, 5))
  expect(app.events.map(({ type, reason }) => [type, reason])).toEqual([['access.denied', 'malformed']])
})

test('[hmac-consumed] a body that a parser has read is 500 with ERR_COUNTERSIGN_BODY_CONSUMED in the event, and one warning', async () => {
  const warned = jest.spyOn(process, 'emitWarning').mockImplementation(() => undefined)
  const errors: unknown[] = []
  const onError: express.ErrorRequestHandler = (error, _request, response, _next) => {
    errors.push((error.cause as { code?: string }).code)
    response.status(error.status).end()
  }
  app = await hmacApp({ before: [express.json()], onDenied: 'next', after: [onError as never] })
  for (const seconds of [1, 2]) {
    const headers = { ...signed({ now: app.clock.now() - seconds, body: '{}' }), 'content-type': 'application/json' }
    expect((await send(app.port, 'POST', '/jobs?a=1', headers, Buffer.from('{}'))).status).toBe(500)
  }
  expect(errors).toEqual(['ERR_COUNTERSIGN_BODY_CONSUMED', 'ERR_COUNTERSIGN_BODY_CONSUMED'])
  expect(app.events.at(-1)).toMatchObject({
    reason: 'internal_error',
    attributes: { error: 'TypeError', code: 'ERR_COUNTERSIGN_BODY_CONSUMED' },
  })
  expect(warned.mock.calls.map(([, options]) => options)).toEqual([{ code: 'COUNTERSIGN_BODY_CONSUMED' }])
  warned.mockRestore()
})

test('the bytes that the platform kept are used where the option says so', async () => {
  app = await hmacApp()
  const { secrets, clock } = app
  const outer = express()
  outer.use(
    express.json({
      verify: (request, _response, bytes) => {
        ;(request as { rawBody?: Buffer }).rawBody = bytes
      },
    }),
    requireHmac({ secrets, clock, audience: AUDIENCE, formats: [xHeaders()], body: 'rawBody' }),
    (request, response) => void response.json(request.body),
  )
  const running = await serve(outer)
  const headers = { ...signed({ now: clock.now(), body: '{"a":1}' }), 'content-type': 'application/json' }
  const answer = await send(running.port, 'POST', '/jobs?a=1', headers, Buffer.from('{"a":1}'))
  expect([answer.status, answer.text]).toEqual([200, '{"a":1}'])
  await running.close()
})

test('bytes that no platform kept are 500 where the option says so, and a warning that names the option', async () => {
  app = await hmacApp()
  const { secrets, clock } = app
  const { warnings, stop } = catchWarnings()
  const gate = requireHmac({ secrets, clock, audience: AUDIENCE, formats: [xHeaders()], body: 'rawBody' })
  const outer = express().use('/parsed', express.json()).use(gate)
  const running = await serve(outer)
  for (const path of ['/jobs?a=1', '/parsed', '/jobs?a=1']) {
    const headers = { ...signed({ now: clock.now(), body: '{"a":1}' }), 'content-type': 'application/json' }
    expect((await send(running.port, 'POST', path, headers, Buffer.from('{"a":1}'))).status).toBe(500)
  }
  stop()
  expect(warnings.map(({ code, message }) => [code, message])).toEqual([
    [
      'COUNTERSIGN_BODY_CONSUMED',
      expect.stringMatching(/^The option body is 'rawBody', but req\.rawBody has no bytes/),
    ],
  ])
  await running.close()
})

describe('a text that the platform kept, as Azure Functions does,', () => {
  /** A platform that reads the body, decodes it and says what it kept. */
  async function textApp(keep: (bytes: Buffer) => string) {
    app = await hmacApp()
    const { secrets, clock } = app
    const { audit, events } = recordedAudit()
    const platform = express.raw({
      type: () => true,
      verify: (request, _response, bytes) => Object.assign(request, { rawBody: keep(bytes) }),
    })
    const gate = requireHmac({
      ...{ secrets, clock, audience: AUDIENCE, formats: [xHeaders()], body: 'rawBody', maxBodyBytes: 40 },
      audit,
    })
    const running = await serve(express().use(platform, gate, (_request, response) => void response.end()))
    return { ...running, events }
  }

  async function outcome(keep: (bytes: Buffer) => string, body: Buffer) {
    const running = await textApp(keep)
    const headers = signed({ now: app.clock.now(), body })
    const { status } = await send(running.port, 'POST', '/jobs?a=1', headers, body)
    await running.close()
    return [status, running.events.at(-1)?.attributes?.code]
  }

  const decoded = (bytes: Buffer) => bytes.toString('utf8')
  const decodedByTheWeb = (bytes: Buffer) => new TextDecoder().decode(bytes)

  test.each([
    ['plain text', 200, decoded, Buffer.from('{"a":1}')],
    ['text beyond ASCII', 200, decoded, Buffer.from('{"a":"üß€😀"}')],
    ['a byte order mark that it kept', 200, decoded, Buffer.from('\ufeff{"a":1}')],
    ['a byte order mark that it dropped', 500, decodedByTheWeb, Buffer.from('\ufeff{"a":1}')],
    ['bytes that are not UTF-8', 500, decoded, Buffer.from([0x7b, 0xff, 0x7d])],
    ['three bytes for which one character stands', 500, decoded, Buffer.from([0xf0, 0x9f, 0x98])],
    ['half a character', 500, () => '{"a":"\ud83d"}', Buffer.from('{"a":"123"}')],
    ['another text of another length', 500, () => '{"a": 1}', Buffer.from('{"a":1}')],
    ['another text of its length', 401, () => '{"a":2}', Buffer.from('{"a":1}')],
    ['more bytes than are accepted', 413, decoded, Buffer.from('€'.repeat(14))],
    ['more characters than bytes are accepted', 413, decoded, Buffer.from('a'.repeat(41))],
  ])('of %s is answered %i', async (_what, status, keep, body) => {
    const { warnings, stop } = catchWarnings()
    expect(await outcome(keep, body)).toEqual([status, status === 500 ? 'ERR_COUNTERSIGN_BODY_CONSUMED' : undefined])
    stop()
    // A cause is warned of once.
    for (const { message } of warnings)
      expect(message).toContain('req.rawBody is a string that may differ from the received bytes')
  })
})

test('a gate on a router and on its route does not take a request for its own copy', async () => {
  app = await hmacApp()
  const { clock } = app
  const secrets = memorySecrets([{ caller: 'scheduler', version: 3, secret: SECRET }], { clock })
  const gate = requireHmac({ secrets, clock, audience: AUDIENCE, formats: [xHeaders()] })
  const outer = express().use('/jobs', gate)
  outer.post('/jobs', gate, express.json(), (request, response) => void response.json(request.body))
  const running = await serve(outer)
  const headers = { ...signed({ now: clock.now(), body: '{"a":1}' }), 'content-type': 'application/json' }
  const first = await send(running.port, 'POST', '/jobs?a=1', headers, Buffer.from('{"a":1}'))
  const copy = await send(running.port, 'POST', '/jobs?a=1', headers, Buffer.from('{"a":1}'))
  expect([first.status, first.text, copy.status]).toEqual([200, '{"a":1}', 401])
  await running.close()
})
