import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect as connectHttp2, Http2ServerRequest, Http2ServerResponse } from 'node:http2'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { type RequireHmacOptions, requireHmac, rfc9421, xHeaders } from '@countersign/hmac'
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals'
import type express from 'express'
import type { RequestHandler } from 'express'
import { expressOn } from '../../../test/support/express-on.js'
import { serveHttp2 } from '../../../test/support/http2-server.js'
import { AUDIENCE, type Harness, hmacApp, signed } from './harness.js'

const run = promisify(execFile)
const format = rfc9421()
const BODY = Buffer.alloc(2 * 1024 * 1024, 'x')
const SMALL = Buffer.from('{"a":1}')

let folder: string
const files = new Map<Buffer, string>()
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'countersign-expect-'))
  for (const [name, body] of [
    ['large', BODY],
    ['small', SMALL],
  ] as const) {
    files.set(body, join(folder, name))
    writeFileSync(join(folder, name), body)
  }
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

let app: Harness
afterEach(() => app.close())

const echo: RequestHandler = async (request, response) => {
  let bytes = 0
  for await (const chunk of request) bytes += (chunk as Buffer).length
  response.end(String(bytes))
}

/** An app whose server asks for no body by itself, unless it is told to. */
async function start(options: Partial<RequireHmacOptions> = {}, leaves = true): Promise<void> {
  app = await hmacApp({ formats: [format, xHeaders()], after: [echo], ...options })
  if (leaves) app.server.on('checkContinue', (request, response) => app.server.emit('request', request, response))
}

/** What curl uploads, which waits for 100 Continue longer than a test may take, and how often it was asked. */
async function upload(headers: Record<string, string>, body = BODY) {
  const lines = Object.entries({ expect: '100-continue', ...headers }).flatMap(([name, value]) => [
    '-H',
    `${name}: ${value}`,
  ])
  const words = ['-sv', '--http1.1', '--max-time', '120', '--expect100-timeout', '100', '-o', join(folder, 'answer')]
  const format = ['-w', '%{http_code} %{size_upload}', '--data-binary', `@${files.get(body)}`]
  const { stdout, stderr } = await run('curl', [...words, ...format, ...lines, `${app.url}/jobs?a=1`])
  const asked = stderr.match(/^< HTTP\/1\.1 100/gm)?.length ?? 0
  const [status, uploaded] = stdout.split(' ').map(Number)
  return { status, uploaded, asked }
}

const TYPE = { 'content-type': 'application/octet-stream' }
const sign = (rest: Partial<Parameters<typeof signed>[0]> = {}, body = BODY) => {
  app.clock.advance(1000)
  return { ...TYPE, ...signed({ format, version: 3, headers: TYPE, body, now: app.clock.now(), ...rest }) }
}

describe('[hmac-expect] of curl, a server that leaves 100 Continue to the app', () => {
  test('asks for the body of a good signature, once', async () => {
    await start()
    expect(await upload(sign())).toEqual({ status: 200, uploaded: BODY.length, asked: 1 })
    expect(await upload(sign({}, SMALL), SMALL)).toEqual({ status: 200, uploaded: SMALL.length, asked: 1 })
  })

  test.each<[string, Partial<Parameters<typeof signed>[0]>, string]>([
    ['a wrong MAC', { secret: 'another-secret-that-is-as-long-as-needed' }, 'bad_signature'],
    ['a caller nobody knows', { caller: 'stranger' }, 'unknown_caller'],
    ['a version nobody knows', { version: 9 }, 'unknown_key_version'],
    ['a time outside the window', { now: 0 }, 'expired'],
  ])('does not ask for that of %s: nothing is uploaded', async (_what, rest, reason) => {
    await start()
    expect(await upload(sign(rest))).toEqual({ status: 401, uploaded: 0, asked: 0 })
    expect(app.last()).toBe(reason)
  })

  test('does not ask for a body beyond the limit, nor for one without a credential', async () => {
    await start({ maxBodyBytes: 1000 })
    expect(await upload(sign())).toEqual({ status: 413, uploaded: 0, asked: 0 })
    expect(await upload(TYPE)).toEqual({ status: 401, uploaded: 0, asked: 0 })
  })

  test('refuses a body that has another digest, after it was asked for', async () => {
    await start()
    expect(await upload(sign({}, SMALL))).toMatchObject({ status: 401, asked: 1 })
    expect(app.last()).toBe('digest_mismatch')
  })

  test('asks in xHeaders before the MAC, for callers and strangers alike, but for no large body of a stranger', async () => {
    await start()
    const x = (rest: Partial<Parameters<typeof signed>[0]> = {}, body = SMALL) =>
      sign({ format: xHeaders(), ...rest }, body)
    const all = { uploaded: SMALL.length, asked: 1 }
    expect(await upload(x(), SMALL)).toEqual({ status: 200, ...all })
    expect(await upload(x({ caller: 'stranger' }), SMALL)).toEqual({ status: 401, ...all })
    expect(await upload(x({ version: 9 }), SMALL)).toEqual({ status: 401, ...all })
    expect(await upload(x({ caller: 'stranger' }, BODY))).toEqual({ status: 401, uploaded: 0, asked: 0 })
  })

  test('asks for the body of the old key, which is for the handler', async () => {
    await start({ legacy: { headers: ['x-service-key'], keys: { scheduler: ['old-key'] } } })
    expect(await upload({ ...TYPE, 'x-service-key': 'old-key' })).toEqual({
      status: 200,
      uploaded: BODY.length,
      asked: 1,
    })
    expect(await upload({ ...TYPE, 'x-service-key': 'no-key' })).toEqual({ status: 401, uploaded: 0, asked: 0 })
  })

  test('and has asked by itself, is not made to ask twice', async () => {
    await start({}, false)
    app.server.on('checkContinue', (request, response) => {
      response.writeContinue()
      app.server.emit('request', request, response)
    })
    expect(await upload(sign())).toEqual({ status: 200, uploaded: BODY.length, asked: 1 })
  })
})

test('[hmac-expect] a server that has no such listener asks for every body before the gate sees the request', async () => {
  await start({}, false)
  expect(await upload(sign())).toEqual({ status: 200, uploaded: BODY.length, asked: 1 })
  expect(await upload(sign({ caller: 'stranger' }))).toMatchObject({ status: 401, asked: 1 })
})

test('[hmac-expect] over HTTP/2 the body of a good signature is asked for, and no other', async () => {
  await start()
  const { secrets, clock } = app
  const gate = requireHmac({ secrets, clock, audience: AUDIENCE, formats: [format] })
  const behind = expressOn(Http2ServerRequest.prototype, Http2ServerResponse.prototype)
  const running = await serveHttp2(behind.use(gate, echo) as unknown as express.Express, false)
  running.server.on('checkContinue', (request, response) => running.server.emit('request', request, response))
  const client = connectHttp2(`http://127.0.0.1:${running.port}`)
  const post = async (headers: Record<string, string>) => {
    const lower = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]))
    const stream = client.request(
      { ':method': 'POST', ':path': '/jobs?a=1', expect: '100-continue', ...lower },
      { endStream: false },
    )
    let asked = 0
    stream.on('continue', () => {
      asked += 1
      stream.end(SMALL)
    })
    const [head] = (await once(stream, 'response')) as [Record<string, unknown>]
    stream.resume().close()
    return [head[':status'], asked]
  }
  expect(await post(sign({}, SMALL))).toEqual([200, 1])
  expect(await post(sign({ caller: 'stranger' }, SMALL))).toEqual([401, 0])
  client.destroy()
  await running.close()
})
