import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { Readable } from 'node:stream'
import { memorySecrets, type RequireHmacOptions, rfc9421, xHeaders } from '@countersign/hmac'
import { afterEach, describe, expect, test } from '@jest/globals'
import express from 'express'
import { type Harness, hmacApp, SECRET, send, signed } from './harness.js'

const OTHER = 'another-secret-that-is-as-long-as-needed'
const format = xHeaders()

let app: Harness
afterEach(() => app.close())

/** Who cannot be told apart: each has a name as long as that of the others. */
const strangers: [string, Partial<Parameters<typeof signed>[0]>, string][] = [
  ['a caller nobody knows', { caller: 'strangers' }, 'unknown_caller'],
  ['a known caller and a wrong MAC', { secret: OTHER }, 'bad_signature'],
  ['a version nobody knows', { version: 9 }, 'unknown_key_version'],
  ['a caller whose secret was revoked', { caller: 'schedules' }, 'no_active_secret'],
]

async function start(options: Partial<RequireHmacOptions> = {}): Promise<void> {
  app = await hmacApp({ formats: [format], ...options })
  app.secrets.insert({ caller: 'schedules', version: 3, secret: SECRET })
  app.secrets.revoke('schedules', 3)
  app.events.splice(0)
}

const headersOf = (rest: Partial<Parameters<typeof signed>[0]>, body: string | Uint8Array = '') =>
  signed({ format, version: 3, now: app.clock.now(), body, ...rest })

/** Opens a request and sends the start of its body, which the server has read when this resolves. */
async function begin(headers: Record<string, string>, framing: string, body: string): Promise<Socket> {
  const accepted = once(app.server, 'connection') as Promise<[Socket]>
  const socket = connect(app.port, '127.0.0.1')
  const [peer] = await accepted
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`)
  const text = `POST /jobs?a=1 HTTP/1.1\r\nHost: x\r\n${lines.join('')}${framing}\r\n\r\n${body}`
  socket.write(text)
  while (peer.bytesRead < text.length && !peer.destroyed) await new Promise((resolve) => setImmediate(resolve))
  // What was read has been parsed and met the gate.
  for (let turn = 0; turn < 5; turn += 1) await new Promise((resolve) => setImmediate(resolve))
  return socket
}

const statusOf = async (socket: Socket) => {
  const [chunk] = (await once(socket, 'data')) as [Buffer]
  socket.destroy()
  return chunk.toString().split(' ')[1]
}

describe('[hmac-alike] in xHeaders, whose MAC needs the body,', () => {
  test.each(strangers)('%s is refused when the body has come, not before', async (_who, rest, reason) => {
    await start()
    for (const [framing, first, second] of [
      ['Content-Length: 10', 'hello', 'world'],
      ['Transfer-Encoding: chunked', '5\r\nhello\r\n', '5\r\nworld\r\n0\r\n\r\n'],
    ] as const) {
      const before = app.events.length
      const socket = await begin(headersOf(rest, 'helloworld'), framing, first)
      expect(app.events).toHaveLength(before)
      socket.write(second)
      expect([await statusOf(socket), app.last()]).toEqual(['401', reason])
    }
  })

  test.each(strangers)('%s is refused at once when the time is outside the window', async (_who, rest, reason) => {
    await start()
    const old = headersOf({ ...rest, now: app.clock.now() - 400_000 })
    expect(await statusOf(await begin(old, 'Content-Length: 10', ''))).toBe('401')
    expect(app.last()).toBe(reason === 'unknown_caller' ? reason : 'expired')
  })

  test.each(strangers)('%s is told of a body beyond the limit, declared or not', async (_who, rest) => {
    await start({ maxBodyBytes: 1000 })
    const body = Buffer.alloc(1001)
    const never = new Readable({ read: () => undefined })
    const declared = await send(app.port, 'POST', '/jobs?a=1', { ...headersOf(rest), 'content-length': '1001' }, never)
    expect([declared.status, app.last()]).toEqual([413, 'body_too_large'])
    const chunked = { ...headersOf(rest, body), 'transfer-encoding': 'chunked' }
    expect((await send(app.port, 'POST', '/jobs?a=1', chunked, body)).status).toBe(413)
    await app.close()
    await start({ maxBodyBytes: 300_000 })
    const more = await send(app.port, 'POST', '/jobs?a=1', { ...headersOf(rest), 'content-length': '300001' }, never)
    expect(more.status).toBe(413)
  })

  test.each(strangers)('%s is 500 where a parser has read the body', async (_who, rest) => {
    await start({ before: [express.text({ type: () => true })] } as never)
    expect((await send(app.port, 'POST', '/jobs?a=1', headersOf(rest, 'a'), Buffer.from('a'))).status).toBe(500)
  })

  test.each(strangers)(
    '%s waits alike: the medians of one run are close',
    async (_who, rest, reason) => {
      const now = Date.UTC(2026, 0, 1)
      await start({ clock: { now: () => now, monotonic: () => performance.now() } })
      const body = Buffer.alloc(64 * 1024, 'x')
      const [other] = strangers.filter(([, , one]) => one === 'bad_signature')
      const pair = [headersOf({ ...rest, now }, body), headersOf({ ...other?.[1], now, method: 'PUT' }, body)]
      // By turns, so that whatever else the machine does falls on both.
      for (let round = 0; round < 100; round += 1) {
        for (const headers of pair) await send(app.port, 'POST', '/jobs?a=1', headers, body)
      }
      const median = (parity: number) =>
        app.events
          .filter((_event, at) => at % 2 === parity)
          .map(({ latencyMs = 0 }) => latencyMs)
          .sort((a, b) => a - b)[50] as number
      expect(app.events.map((event) => event.reason).slice(0, 2)).toEqual([reason, 'bad_signature'])
      const ratio = median(0) / median(1)
      expect(ratio).toBeGreaterThan(0.6)
      expect(ratio).toBeLessThan(1.6)
    },
    60_000,
  )
})

describe('of a stranger no more is read than of what is refused anyway:', () => {
  test('256 KiB, of a body that comes in chunks', async () => {
    await start()
    let sent = 0
    const endless = new Readable({
      read() {
        sent += 16_384
        this.push(Buffer.alloc(16_384))
      },
    })
    const headers = { ...headersOf({ caller: 'strangers' }), 'transfer-encoding': 'chunked' }
    expect((await send(app.port, 'POST', '/jobs?a=1', headers, endless)).status).toBe(401)
    expect(app.last()).toBe('unknown_caller')
    expect(sent).toBeGreaterThan(256 * 1024)
  })

  test('nothing, of a body that is declared to be longer than that', async () => {
    await start()
    const socket = await begin(headersOf({ caller: 'strangers' }), 'Content-Length: 262145', '')
    expect([await statusOf(socket), app.last()]).toEqual(['401', 'unknown_caller'])
  })

  test('a second, of a body that does not come; the client gets its answer', async () => {
    await start()
    const started = performance.now()
    const socket = await begin(headersOf({ caller: 'strangers' }), 'Content-Length: 10', 'hello')
    expect([await statusOf(socket), app.last()]).toEqual(['401', 'unknown_caller'])
    expect(performance.now() - started).toBeGreaterThan(900)
  })

  test('nothing in rfc9421, whose MAC needs no body', async () => {
    await start({ formats: [rfc9421()] })
    const headers = headersOf({ caller: 'strangers', format: rfc9421() }, 'helloworld')
    const socket = await begin(headers, 'Content-Length: 10', '')
    expect([await statusOf(socket), app.last()]).toEqual(['401', 'unknown_caller'])
  })
})

test('where the old key alone decides, a body that was waited for in vain still reaches the handler', async () => {
  const secrets = memorySecrets([{ caller: 'scheduler', version: 3, secret: SECRET }])
  const read: express.RequestHandler = express.text({ type: () => true })
  await start({
    ...{ secrets, reportOnly: true, after: [read] },
    legacy: { headers: ['x-service-key'], keys: { scheduler: ['old-key'] } },
  } as never)
  const headers = { ...headersOf({ caller: 'strangers' }), 'x-service-key': 'old-key' }
  const socket = await begin(headers, 'Content-Length: 10', 'hello')
  while (app.events.length === 0) await new Promise((resolve) => setTimeout(resolve, 20))
  expect(app.events[0]).toMatchObject({ type: 'access.granted', attributes: { signature: 'unknown_caller' } })
  socket.write('world')
  const [chunk] = (await once(socket, 'data')) as [Buffer]
  expect(chunk.toString()).toMatch(/^HTTP\/1\.1 200 [\s\S]*"body":"helloworld"/)
  socket.destroy()
})
