import { once } from 'node:events'
import type { ClientHttp2Session, ClientHttp2Stream, IncomingHttpHeaders } from 'node:http2'
import { firstPresented } from '@countersign/core'
import { memorySecrets, requireHmac, sign } from '@countersign/hmac'
import type { HmacSecretStore } from '@countersign/hmac/store'
import { createMcpCredentials, type McpCredentials, requireMcpCredential } from '@countersign/mcp-credential'
import { requireOAuthBearer } from '@countersign/oauth-bearer'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, jest, test } from '@jest/globals'
import type { RequestHandler } from 'express'
import { recordedAudit } from '../support/audit-recorder.js'
import { connectFrames, type Line } from '../support/http2-frames.js'
import { connectHttp2, http2Kinds, type RunningHttp2Server, serveHttp2 } from '../support/http2-server.js'
import { type TestIssuer, testIssuer } from '../support/test-issuer.js'

const AUDIENCE = 'app.example.com'
const SECRET = 'a-secret-of-the-tests-that-is-long-enough'
const LIMIT = 1024 * 1024
/** Error codes of RFC 9113 §7. */
const NO_ERROR = 0
const CANCEL = 8

let issuer: TestIssuer
let credentials: McpCredentials
let authorization: string
const { audit, events, clear } = recordedAudit()
/** What Node would end the process for. */
const uncaught: unknown[] = []
const onUncaught = (error: unknown) => void uncaught.push(error)

beforeAll(async () => {
  process.on('uncaughtException', onUncaught).on('unhandledRejection', onUncaught)
  issuer = await testIssuer({ algorithm: 'ES256' })
  credentials = createMcpCredentials({ audit })
  const issued = await credentials.issue({ threadId: 't1', providerInstanceId: 'p1', capabilities: ['preview'] })
  authorization = issued.authorizationHeader
})
afterAll(async () => {
  process.off('uncaughtException', onUncaught).off('unhandledRejection', onUncaught)
  credentials.close()
  await issuer.stop()
  expect(uncaught).toEqual([])
})

const length: RequestHandler = async (request, response) => {
  let read = 0
  for await (const chunk of request) read += (chunk as Buffer).length
  response.json({ kind: request.principal?.kind, read })
}

function signed(path: string, body: Buffer, secret = SECRET): Record<string, string> {
  const signer = { caller: 'scheduler', version: 1, secret, audience: AUDIENCE }
  return sign({ method: 'POST', url: path, headers: {}, body }, signer)
}

/** Waits for what another part of the process does. */
async function until(isSo: () => boolean): Promise<void> {
  const deadline = performance.now() + 10_000
  while (!isSo()) {
    if (performance.now() > deadline) throw new Error('what the test waits for did not come')
    await new Promise(setImmediate)
  }
}

describe.each(http2Kinds)('$name', ({ isSecure, makeApp }) => {
  let running: RunningHttp2Server
  let session: ClientHttp2Session
  /** Requests that have met a gate. */
  let met: number
  /** Lets the slow store answer. */
  let answerStore: (() => void) | undefined

  beforeEach(async () => {
    clear()
    met = 0
    const secrets = memorySecrets([{ caller: 'scheduler', version: 1, secret: SECRET }])
    answerStore = undefined
    const slowSecrets: HmacSecretStore = {
      ...secrets,
      versions: async (caller) => {
        await new Promise<void>((resolve) => {
          answerStore = resolve
        })
        return secrets.versions(caller)
      },
    }
    const slow = requireHmac({ secrets: slowSecrets, callers: ['scheduler'], audience: AUDIENCE, audit })
    const hmac = requireHmac({ secrets, audience: AUDIENCE, maxBodyBytes: LIMIT, audit })
    const mcp = requireMcpCredential({ credentials, tools: { 'preview_*': 'preview' }, maxBodyBytes: LIMIT, audit })
    const oauth = requireOAuthBearer({ resource: issuer.resource, issuer: issuer.url, audit })
    const app = makeApp().use((_request, _response, next) => {
      met += 1
      next()
    })
    for (const [path, gate] of Object.entries({ hmac, slow, mcp, oauth, any: firstPresented(hmac, mcp, oauth) })) {
      app.use(`/${path}`, gate, length)
    }
    running = await serveHttp2(app, isSecure)
    running.server.on('stream', (stream) => stream.on('aborted', () => running.server.emit('gone')))
    session = connectHttp2(running.port, isSecure)
  })
  afterEach(async () => {
    jest.useRealTimers()
    session.destroy()
    await running.close()
  })

  const open = (path: string, headers: Record<string, string>): ClientHttp2Stream =>
    session.request({ ':method': 'POST', ':path': path, ...headers }, { endStream: false })
  const linesOf = (method: string, path: string): Line[] =>
    Object.entries({
      ':method': method,
      ':path': path,
      ':scheme': isSecure ? 'https' : 'http',
      ':authority': 'app.example.com',
    })
  const statusOf = async (stream: ClientHttp2Stream) => {
    const [answer] = (await once(stream, 'response')) as [IncomingHttpHeaders & { ':status'?: number }]
    return answer[':status']
  }
  const upload = async (path: string, headers: Record<string, string>, body: Buffer) => {
    const stream = open(path, headers)
    stream.end(body)
    const status = await statusOf(stream)
    let text = ''
    for await (const chunk of stream) text += String(chunk)
    return [status, text]
  }
  const good = async () => {
    const body = Buffer.alloc(300_000, 'a')
    expect(await upload('/hmac', signed('/hmac', body), body)).toEqual([200, '{"kind":"hmac","read":300000}'])
  }

  const gates = [
    ['/hmac', (body: Buffer) => signed('/hmac', body), 'malformed'],
    ['/mcp', () => ({ authorization }), 'malformed_body'],
  ] as const

  test('[core-http2] a body of many frames is read, bound by the signature, and left to the handler', async () => {
    await good()
    const body = Buffer.alloc(300_000, 'a')
    const [status] = await upload('/hmac', signed('/hmac', body), Buffer.alloc(300_000, 'b'))
    expect([status, events.at(-1)?.reason]).toEqual([401, 'digest_mismatch'])
  })

  test.each(gates)(
    '[core-http2] a stream that is reset in mid-upload is one event, and its body is not taken for whole: %s',
    async (path, headersOf, reason) => {
      // What has come is what is signed, and JSON.
      const body = Buffer.from('{"jsonrpc":"2.0","method":"ping"}')
      for (const code of [NO_ERROR, CANCEL]) {
        clear()
        met = 0
        const client = await connectFrames(running.port, isSecure)
        client.open([...linesOf('POST', path), ...Object.entries(headersOf(body))], false)
        client.data(body)
        await until(() => met === 1)
        expect(events).toEqual([])
        client.reset(code)
        await until(() => events.length > 0)
        expect(events.map((event) => [event.type, event.reason])).toEqual([['access.denied', reason]])
        expect(Object.values(events[0]?.attributes ?? {})).toContain('aborted')
        client.destroy()
      }
      await good()
    },
  )

  test('[core-http2] a stream that is reset before the gate reads it has no body, not an empty one', async () => {
    const client = await connectFrames(running.port, isSecure)
    client.open([...linesOf('POST', '/slow'), ...Object.entries(signed('/slow', Buffer.alloc(0)))], false)
    await until(() => answerStore !== undefined)
    const gone = once(running.server, 'gone')
    client.reset(NO_ERROR)
    await gone
    answerStore?.()
    await until(() => events.length > 0)
    expect(events.map(({ reason, attributes }) => [reason, attributes?.body])).toEqual([['malformed', 'aborted']])
    client.destroy()
  })

  test.each(gates)(
    'a connection that is cut in mid-upload is one event, and others are served: %s',
    async (path, headersOf, reason) => {
      const stream = open(path, headersOf(Buffer.alloc(4)))
      stream.on('error', () => undefined).write('ab')
      await until(() => met === 1)
      session.on('error', () => undefined).destroy()
      await until(() => events.length > 0)
      expect(events.map((event) => [event.type, event.reason])).toEqual([['access.denied', reason]])
      expect(Object.values(events[0]?.attributes ?? {})).toContain('aborted')
      session = connectHttp2(running.port, isSecure)
      await good()
    },
  )

  test('an upload that is refused before its end is answered, its stream is closed, and the session goes on', async () => {
    const stream = open('/hmac', signed('/hmac', Buffer.from('abcd'), 'another-secret-that-is-long-enough-too'))
    stream.write('ab')
    expect(await statusOf(stream)).toBe(401)
    stream.resume()
    await once(stream, 'close')
    expect(stream.rstCode).toBe(0)
    expect(events.map((event) => event.reason)).toEqual(['bad_signature'])
    await good()
  })

  test.each(gates)(
    'an upload beyond the limit is 413 before its end, and the session goes on: %s',
    async (path, headersOf, _reason) => {
      const body = Buffer.alloc(LIMIT + 1)
      const stream = open(path, headersOf(body))
      stream.on('error', () => undefined).write(body)
      expect(await statusOf(stream)).toBe(413)
      stream.resume()
      await once(stream, 'close')
      expect(events.map((event) => event.reason)).toEqual(['body_too_large'])
      await good()
    },
  )

  test.each(gates)(
    'an upload of which nothing more comes for 30 s is answered: %s',
    async (path, headersOf, reason) => {
      jest.useFakeTimers({
        doNotFake: ['setImmediate', 'nextTick', 'queueMicrotask', 'setInterval', 'Date', 'hrtime', 'performance'],
      })
      const headers = headersOf(Buffer.alloc(4))
      const stream = open(path, headers)
      stream.on('error', () => undefined).write('ab')
      await until(() => met === 1 && jest.getTimerCount() > 0)
      jest.advanceTimersByTime(29_999)
      expect(events).toEqual([])
      jest.advanceTimersByTime(1)
      expect(await statusOf(stream)).toBe(path === '/hmac' ? 401 : 400)
      expect(events.map((event) => event.reason)).toEqual([reason])
      expect(jest.getTimerCount()).toBe(0)
    },
  )

  test('[core-http2-fields] a credential with a line end or a NUL in it is none', async () => {
    for (const end of ['\r\n', '\r', '\n', '\0']) {
      clear()
      const client = await connectFrames(running.port, isSecure)
      client.open([...linesOf('GET', '/mcp'), ['authorization', `${authorization}${end}x-b: c`]], true)
      await client.answered
      client.destroy()
      expect(events.map((event) => [event.reason, event.http?.status])).toEqual([['missing', 401]])
    }
  })

  test.each(['/mcp', '/oauth', '/any'])(
    'a credential in two lines is ambiguous, whichever comes first: %s',
    async (path) => {
      const own = path === '/mcp' ? authorization : `Bearer ${await issuer.token()}`
      for (const lines of [
        [own, own],
        [own, 'Bearer other'],
        ['Bearer other', own],
      ]) {
        clear()
        const client = await connectFrames(running.port, isSecure)
        client.open([...linesOf('GET', path), ...lines.map((line): Line => ['authorization', line])], true)
        await client.answered
        client.destroy()
        expect(events.map((event) => [event.type, event.reason, event.http?.status])).toEqual([
          ['access.denied', 'ambiguous', 400],
        ])
      }
    },
  )
})
