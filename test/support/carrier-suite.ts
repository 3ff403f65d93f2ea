import { gzipSync } from 'node:zlib'
import { firstPresented } from '@countersign/core'
import { memorySecrets, requireHmac, rfc9421, type SignatureFormat, sign, xHeaders } from '@countersign/hmac'
import { createMcpCredentials, type McpCredentials, requireMcpCredential } from '@countersign/mcp-credential'
import { requireOAuthBearer } from '@countersign/oauth-bearer'
import { createSettingsSessions, requireSettingsSession, type SettingsSessions } from '@countersign/settings-session'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import express, { type RequestHandler, type Router } from 'express'
import { TestBrowser } from '../../packages/settings-session/test/browser.js'
import { recordedAudit } from './audit-recorder.js'
import type { Carrier, CarrierKind, Parcel } from './carriers.js'
import { serve } from './http-server.js'
import { type TestIssuer, testIssuer } from './test-issuer.js'

const AUDIENCE = 'app.example.com'
const SECRET = 'a-secret-of-the-tests-that-is-long-enough'
const formats: readonly SignatureFormat[] = [rfc9421(), xHeaders()]
const JSON_TYPE = { 'content-type': 'application/json' }

let issuer: TestIssuer
let credentials: McpCredentials
let settings: SettingsSessions
let mcpHeader: string
let cookie: string
const { audit, events } = recordedAudit()
const closing: (() => Promise<unknown>)[] = []

/** What a handler reads of the stream, with no parser before it. */
const echo: RequestHandler = async (request, response) => {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(Buffer.from(chunk))
  response.json({ kind: request.principal?.kind, read: Buffer.concat(chunks).toString() })
}
const parsed: RequestHandler = (request, response) => {
  response.json({ kind: request.principal?.kind, body: request.body })
}

/** The gates, each with state of its own, on an Express of any version, and nothing that reads a body before them. */
function routes(of: typeof express): Router {
  const secrets = memorySecrets([{ caller: 'scheduler', version: 1, secret: SECRET }])
  const gates = {
    hmac: requireHmac({ secrets, audience: AUDIENCE, formats, audit }),
    mcp: requireMcpCredential({ credentials, tools: { 'preview_*': 'preview' }, audit }),
    oauth: requireOAuthBearer({ resource: issuer.resource, issuer: issuer.url, audit }),
    settings: requireSettingsSession({ settings, audit }),
  }
  const router = of.Router()
  for (const [name, gate] of Object.entries(gates)) {
    router.use(`/${name}`, gate, of.json(), parsed)
    router.use(`/optional/${name}`, gate.optional(), of.json(), parsed)
  }
  router.use('/echo', gates.hmac, echo)
  router.use('/stacked', gates.hmac, gates.mcp, of.json(), parsed)
  router.use('/stacked-otherwise', gates.mcp, gates.hmac, of.json(), parsed)
  router.use('/any', firstPresented(gates.hmac, gates.mcp, gates.oauth, gates.settings), of.json(), parsed)
  return router
}

beforeAll(async () => {
  issuer = await testIssuer({ algorithm: 'ES256' })
  credentials = createMcpCredentials({ audit })
  const running = await serve((request, response) => app(request, response))
  settings = createSettingsSessions({ baseUrl: `${running.url}/settings`, audit })
  const app = express().use('/settings', settings.routes())
  closing.push(
    running.close,
    () => issuer.stop(),
    () => credentials.close(),
  )

  const issued = await credentials.issue({ threadId: 't1', providerInstanceId: 'p1', capabilities: ['preview'] })
  mcpHeader = issued.authorizationHeader
  const browser = new TestBrowser(running.url)
  let url = ''
  await settings.deliver(await settings.issueLink({ platform: 'telegram', userId: 'u1' }), (sensitive) => {
    url = sensitive.reveal('deliver-to-user')
  })
  await browser.confirm(url)
  cookie = browser.cookie
})
afterAll(async () => {
  for (const close of closing) await close()
})

function signed(format: SignatureFormat, path: string, body: Buffer | undefined, method = 'POST'): Parcel['headers'] {
  const headers = body === undefined || body.length === 0 ? {} : JSON_TYPE
  const request = { method, url: path, headers, ...(body === undefined ? {} : { body }) }
  return {
    ...headers,
    ...sign(request, { caller: 'scheduler', version: 1, secret: SECRET, audience: AUDIENCE, format }),
  }
}

const LIST_TOOLS = Buffer.from('{"jsonrpc":"2.0","id":1,"method":"tools/list"}')

const call = (name: string) =>
  Buffer.from(
    JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name, arguments: { text: 'é' } } }),
  )

/** What every gate must do under what carries the requests: let the good in, and nothing that was tampered with. */
export function testCarriers(carriers: readonly CarrierKind[]): void {
  describe.each(carriers)(
    'under $name',
    ({ start, tellsLines, joinsLines = false, takesFraming, carriesBytes = true }) => {
      let carrier: Carrier
      beforeAll(async () => {
        carrier = await start(routes)
      })
      afterAll(() => carrier.close())

      const post = async (path: string, headers: Parcel['headers'], body?: Buffer, method = 'POST') => {
        const { status, text } = await carrier.send({ method, path, headers, body })
        return [status, status === 200 ? JSON.parse(text) : undefined]
      }
      const refused = async (path: string, headers: Parcel['headers'], body?: Buffer, method = 'POST') => {
        const before = events.length
        const [status] = await post(path, headers, body, method)
        expect(events.length).toBe(before + 1)
        return [status, events.at(-1)?.reason]
      }

      describe.each(formats)('a signature in $name', (format) => {
        test.each(['/hmac?a=1', '/any?a=1'])('is good over its own request alone: %s', async (path) => {
          const body = Buffer.from('{"a":"é"}')
          expect(await post(path, signed(format, path, body), body)).toEqual([200, { kind: 'hmac', body: { a: 'é' } }])
          const other = Buffer.from('{"a":"è"}')
          const mismatch = format.name === 'rfc9421' ? 'digest_mismatch' : 'bad_signature'
          expect(await refused(path, signed(format, path, body), other)).toEqual([401, mismatch])
          expect(await refused(path, signed(format, path, body))).toEqual([401, mismatch])
          expect(await refused(path.replace('a=1', 'a=2'), signed(format, path, body), body)).toEqual([
            401,
            'bad_signature',
          ])
        })

        test('is good over a request without a body, and over none that has one', async () => {
          for (const method of ['GET', 'POST', 'DELETE']) {
            const headers = signed(format, '/hmac', undefined, method)
            expect((await post('/hmac', headers, undefined, method))[0]).toBe(200)
          }
          const empty = signed(format, '/echo', undefined)
          const body = Buffer.from('other')
          expect((await refused('/echo', empty, body))[0]).toBe(401)
        })

        test('over an empty body lets nothing in, whatever the framing fields say', async () => {
          const framings = takesFraming
            ? [
                { 'transfer-encoding': 'chunked' },
                { 'content-length': '0' },
                { 'content-length': '0', 'transfer-encoding': 'chunked' },
              ]
            : []
          for (const framing of framings) {
            const answer = await refused(
              '/echo',
              { ...signed(format, '/echo', undefined), ...framing },
              Buffer.from('evil'),
            )
            expect(answer[0]).toBe(401)
            const own = Buffer.from(`good: ${JSON.stringify(framing)}`)
            const good = { ...signed(format, '/echo', own), ...framing }
            expect(await post('/echo', good, own)).toEqual([200, { kind: 'hmac', read: own.toString() }])
          }
        })

        test('counts once', async () => {
          const body = Buffer.from('{"a":1}')
          const headers = signed(format, '/hmac', body)
          expect((await post('/hmac', headers, body))[0]).toBe(200)
          expect(await refused('/hmac', headers, body)).toEqual([401, 'replayed'])
        })

        test.each(['/stacked', '/stacked-otherwise'])(
          'and a credential for tools, both before the parser: %s',
          async (path) => {
            const body = call('preview_open')
            const headers = { ...signed(format, path, body), authorization: mcpHeader }
            const [status, answer] = await post(path, headers, body)
            expect([status, answer?.body?.params?.name]).toEqual([200, 'preview_open'])
            const other = call('shell')
            expect((await post(path, { ...signed(format, path, other), authorization: mcpHeader }, other))[0]).toBe(403)
            expect(
              (await post(path, { ...signed(format, path, body), authorization: mcpHeader }, call('preview_shut')))[0],
            ).toBe(401)
          },
        )
      })

      test.each(['/mcp', '/any'])('a credential may call its tools, and no others: %s', async (path) => {
        const headers = { ...JSON_TYPE, authorization: mcpHeader }
        const [status, answer] = await post(path, headers, call('preview_open'))
        expect([status, answer?.body?.params?.arguments?.text]).toEqual([200, 'é'])
        expect(await refused(path, headers, call('shell'))).toEqual([403, 'insufficient_scope'])
        expect(await refused(path, headers, Buffer.from('{'))).toEqual([400, 'malformed_body'])
        expect(await refused(path, headers)).toEqual([400, 'malformed_body'])
        expect((await post(path, { authorization: mcpHeader }, undefined, 'DELETE'))[0]).toBe(200)
        expect((await refused(path, { ...headers, authorization: `${mcpHeader}x` }, call('preview_open')))[0]).toBe(401)
      })

      test('a body answers for what it is, and a handshake needs no capability', async () => {
        const bare = await credentials.issue({ threadId: 't2', providerInstanceId: 'p2', capabilities: [] })
        const own = { ...JSON_TYPE, authorization: bare.authorizationHeader }
        const message = (method: string) => Buffer.from(JSON.stringify({ jsonrpc: '2.0', id: 1, method }))
        for (const method of ['initialize', 'notifications/initialized', 'ping', 'tools/list']) {
          expect((await post('/mcp', own, message(method)))[0]).toBe(200)
        }
        const open = call('preview_open').toString()
        expect(await refused('/mcp', own, Buffer.from(open))).toEqual([403, 'insufficient_scope'])
        const gzip = { ...own, 'content-encoding': 'gzip' }
        expect(await refused('/mcp', gzip, gzipSync(open))).toEqual([415, 'unsupported_body'])
        expect(await refused('/mcp', gzip, message('ping'))).toEqual([415, 'unsupported_body'])
        const doubled = open.replace('"method":"tools/call"', '"method":"ping","m\\u0065thod":"tools/call"')
        expect(await refused('/mcp', own, Buffer.from(doubled))).toEqual([400, 'malformed_body'])
        const utf16 = Buffer.from('{"jsonrpc":"2.0","method":"ping"}', 'utf16le')
        expect(await refused('/mcp', own, utf16)).toEqual([400, 'malformed_body'])
        // A body in text is UTF-8 when it comes out of an event, whatever it was.
        const latin1 = Buffer.from('{"jsonrpc":"2.0","method":"é"}', 'latin1')
        if (carriesBytes) expect(await refused('/mcp', own, latin1)).toEqual([400, 'malformed_body'])
      })

      test.each(['/oauth', '/any'])('a token is verified: %s', async (path) => {
        const authorization = `Bearer ${await issuer.token()}`
        const body = Buffer.from('{"a":1}')
        const answer = await post(path, { ...JSON_TYPE, authorization }, body)
        expect(answer).toEqual([200, { kind: 'oauth-bearer', body: { a: 1 } }])
        const tampered = `${authorization.slice(0, -8)}${authorization.endsWith('AAAAAAAA') ? 'BBBBBBBB' : 'AAAAAAAA'}`
        expect((await refused(path, { ...JSON_TYPE, authorization: tampered }, body))[0]).toBe(401)
      })

      test.each(['/settings', '/any'])('a session is verified: %s', async (path) => {
        expect(await post(path, { cookie: `a=1; ${cookie}` }, undefined, 'GET')).toMatchObject([
          200,
          { kind: 'settings-session' },
        ])
        const own = { ...JSON_TYPE, cookie, 'sec-fetch-site': 'same-origin' }
        expect(await post(path, own, Buffer.from('{"a":1}'))).toEqual([
          200,
          { kind: 'settings-session', body: { a: 1 } },
        ])
        expect(await refused(path, { ...own, 'sec-fetch-site': 'cross-site' })).toEqual([403, 'cross_site'])
        expect((await refused(path, { cookie: `${cookie.slice(0, -4)}AAAA` }, undefined, 'GET'))[0]).toBe(401)
        expect(await refused(path, { cookie: `${cookie}; ${cookie}` }, undefined, 'GET')).toEqual([401, 'malformed'])
      })

      test('nothing presented is missing, and only that passes an optional gate', async () => {
        expect(await refused('/any', {})).toEqual([401, 'missing'])
        for (const name of ['hmac', 'mcp', 'oauth', 'settings']) {
          expect(await refused(`/${name}`, {})).toEqual([401, 'missing'])
          // The rules of tools are for callers without a credential, too: they need a message to judge.
          const body = name === 'mcp' ? LIST_TOOLS : undefined
          expect((await post(`/optional/${name}`, body === undefined ? {} : JSON_TYPE, body))[0]).toBe(200)
        }
        const bad = {
          hmac: { signature: 'x', 'signature-input': 'y' },
          mcp: { authorization: `${mcpHeader}x` },
          oauth: { authorization: 'Bearer abc.def.ghi' },
          settings: { cookie: `${cookie.split('=')[0]}=x` },
        }
        for (const [name, headers] of Object.entries(bad)) {
          expect((await refused(`/optional/${name}`, headers))[0]).toBe(401)
        }
      })

      const inTwoLines = tellsLines
        ? 'a credential in two lines is refused'
        : 'a credential in two lines comes in one, so the gate sees the last one alone'
      test(inTwoLines, async () => {
        const xs = signed(xHeaders(), '/hmac?doubled=1', undefined)
        const doubled = Object.fromEntries(Object.entries(xs).map(([name, value]) => [name, [value, value].flat()]))
        const [status] = await post('/hmac?doubled=1', doubled)
        expect(tellsLines ? [400, 401] : [200]).toContain(status)
        if (!tellsLines) {
          expect((await post('/mcp', { authorization: ['Basic eDp5', mcpHeader] }, undefined, 'GET'))[0]).toBe(200)
          return
        }
        const oauth = `Bearer ${await issuer.token()}`
        for (const [path, one] of [
          ['/mcp', mcpHeader],
          ['/oauth', oauth],
          ['/any', oauth],
        ] as const) {
          for (const lines of [
            [one, one],
            [one, 'Bearer other'],
            ['Bearer other', one],
          ]) {
            const parcel = { method: 'GET', path, headers: { authorization: lines } }
            const before = events.length
            // Node's HTTP/2 client sends no two of these.
            await (carrier.sendLines ?? carrier.send)(parcel)
            const seen = events.slice(before).map(({ reason }) => reason)
            expect(seen).toEqual([joinsLines ? 'malformed' : 'ambiguous'])
          }
        }
      })
    },
  )
}
