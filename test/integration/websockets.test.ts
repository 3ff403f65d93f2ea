import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server } from 'node:http'
import { connect } from 'node:net'
import type { Duplex } from 'node:stream'
import { type AuditEvent, firstPresented, type Gate, principalOf, UnavailableError } from '@countersign/core'
import { memorySecrets, requireHmac, xHeaders } from '@countersign/hmac'
import { createMcpCredentials, type McpCredentials, requireMcpCredential } from '@countersign/mcp-credential'
import { requireOAuthBearer } from '@countersign/oauth-bearer'
import { createSettingsSessions, requireSettingsSession, type SettingsSessions } from '@countersign/settings-session'
import { signedRequest, type TestIssuer, testIssuer } from '@countersign/testing'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals'
import express from 'express'
import { WebSocket, WebSocketServer } from 'ws'
import { Browser } from '../../packages/demo/src/browser.js'
import { recordAudit } from '../support/audit-recorder.js'

const SIGNER = {
  caller: 'scheduler',
  version: 1,
  secret: 'a-secret-of-the-tests-that-is-long-enough',
  audience: 'app.example.com',
}
type Headers = Readonly<Record<string, string>>

let issuer: TestIssuer
beforeAll(async () => {
  issuer = await testIssuer()
})
afterAll(() => issuer.stop())

let server: Server
let port: number
let origin: string
let sockets: WebSocketServer
let recorded: ReturnType<typeof recordAudit>
let credentials: McpCredentials
let settings: SettingsSessions
const open = new Set<Duplex>()

beforeEach(async () => {
  recorded = recordAudit()
  sockets = new WebSocketServer({ noServer: true })
  const app = express()
  server = createServer(app).on('connection', (socket) => open.add(socket))
  await once(server.listen(0, '127.0.0.1'), 'listening')
  port = (server.address() as { port: number }).port
  origin = `http://localhost:${port}`
  const { audit } = recorded
  credentials = createMcpCredentials({ audit })
  settings = createSettingsSessions({ baseUrl: `${origin}/settings`, audit })
  app.use('/settings', settings.routes())
})
afterEach(async () => {
  for (const socket of open) socket.destroy()
  open.clear()
  await once(server.close(), 'close')
})

/** Serves the gate's upgrades to `/live`: each message is answered with who sent it. */
function serve(gate: Gate): void {
  gate.upgrade(server, '/live', (request, socket, head, principal) => {
    sockets.handleUpgrade(request, socket, head, (client) => {
      client.on('message', (text) => client.send(`${principal?.kind ?? 'nobody'}: ${text}`))
    })
  })
}

interface Refused {
  readonly status: number
  readonly headers: IncomingMessage['headers']
  readonly problem: { readonly status: number }
}

/** Connects with a real client; resolves with its first answer to `hello`, or with how it was refused. */
async function talk(headers: Headers = {}, path = '/live'): Promise<string | Refused> {
  const client = new WebSocket(`ws://127.0.0.1:${port}${path}`, { headers })
  return new Promise((resolve, reject) => {
    client.on('error', reject)
    client.on('open', () => client.send('hello'))
    client.on('message', (text) => {
      client.close()
      resolve(String(text))
    })
    client.on('unexpected-response', async (_request, response) => {
      const chunks: Buffer[] = []
      for await (const chunk of response) chunks.push(chunk as Buffer)
      const problem = JSON.parse(Buffer.concat(chunks).toString()) as Refused['problem']
      resolve({ status: response.statusCode ?? 0, headers: response.headers, problem })
    })
  })
}

/** The decisions: the path, the gate, and the reason or the principal. */
function decisions(): (string | undefined)[][] {
  return recorded.events
    .filter(({ type }) => type.startsWith('access.'))
    .map(({ http, gate, reason, principal }: AuditEvent) => [http?.route, gate, reason ?? principal?.id])
}

const refused = (status: number) => ({
  status,
  headers: expect.objectContaining({ 'content-type': 'application/problem+json; charset=utf-8', connection: 'close' }),
  problem: expect.objectContaining({ status }),
})

describe('requireHmac', () => {
  const sign = (changes: Partial<Parameters<typeof signedRequest>[0]> = {}): Headers =>
    signedRequest({ ...SIGNER, method: 'GET', url: `ws://127.0.0.1:${port}/live`, ...changes }).headers

  function gateOf(formats?: Parameters<typeof requireHmac>[0]['formats']): Gate {
    const secrets = memorySecrets([{ caller: SIGNER.caller, version: 1, secret: SIGNER.secret }])
    return requireHmac({ secrets, audience: SIGNER.audience, formats, audit: recorded.audit })
  }

  test('lets a signed handshake through, once', async () => {
    serve(gateOf())
    const headers = sign()
    expect(await talk(headers)).toBe('hmac: hello')
    expect(await talk(headers)).toEqual(refused(401))
    expect(decisions()).toEqual([
      ['/live', 'hmac', 'scheduler'],
      ['/live', 'hmac', 'replayed'],
    ])
  })

  test('lets one through that is signed with the x- headers, query included', async () => {
    serve(gateOf([xHeaders()]))
    const headers = sign({ url: `http://127.0.0.1:${port}/live?room=1`, format: xHeaders() })
    expect(await talk(headers, '/live?room=1')).toBe('hmac: hello')
    const other = sign({ url: `http://127.0.0.1:${port}/live?room=1`, format: xHeaders() })
    expect(await talk(other, '/live?room=2')).toEqual(refused(401))
    expect(decisions().at(-1)).toEqual(['/live', 'hmac', 'bad_signature'])
  })

  test.each(['wrong_secret', 'expired', 'wrong_audience', 'unknown_caller'] as const)(
    'refuses one that is signed with the defect %s',
    async (defect) => {
      serve(gateOf())
      expect(await talk(sign({ defect }))).toEqual(refused(401))
      expect(await talk()).toEqual(refused(401))
      expect(decisions()).toHaveLength(2)
    },
  )

  test.each<[string, string, Partial<Parameters<typeof signedRequest>[0]>, string]>([
    ['a POST', 'POST', { method: 'POST' }, ''],
    ['a body with a length', 'GET', {}, 'Content-Length: 5\r\n'],
    ['a chunked body', 'GET', {}, 'Transfer-Encoding: chunked\r\n'],
  ])('refuses %s although it is signed: nothing binds what follows', async (_title, method, changes, framing) => {
    serve(gateOf())
    const lines = Object.entries(sign(changes)).map(([name, value]) => `${name}: ${value}\r\n`)
    const socket = connect(port, '127.0.0.1')
    const handshake = `${method} /live HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n`
    socket.write(`${handshake}${framing}${lines.join('')}\r\n`)
    const [answer] = (await once(socket, 'data')) as [Buffer]
    expect(String(answer)).toMatch(/^HTTP\/1\.1 401 /)
    expect(decisions()).toEqual([['/live', 'hmac', 'malformed']])
    socket.destroy()
  })
})

describe('requireOAuthBearer', () => {
  const gateOf = () =>
    requireOAuthBearer({ issuer: issuer.url, resource: issuer.resource, scopes: ['files:read'], audit: recorded.audit })

  test('lets a token of this resource through', async () => {
    serve(gateOf())
    expect(await talk({ Authorization: `Bearer ${await issuer.token()}` })).toBe('oauth-bearer: hello')
    expect(decisions()).toEqual([['/live', 'oauth-bearer', expect.any(String)]])
  })

  test('refuses an expired token, one without the scope, one in the query, and none', async () => {
    serve(gateOf())
    const expired = await talk({ Authorization: `Bearer ${await issuer.badToken('expired')}` })
    expect(expired).toEqual(refused(401))
    expect((expired as Refused).headers['www-authenticate']).toContain('error="invalid_token"')
    const weak = await issuer.token({ claims: { scope: 'other' } })
    expect(await talk({ Authorization: `Bearer ${weak}` })).toEqual(refused(403))
    expect(await talk({}, `/live?access_token=${await issuer.token()}`)).toEqual(refused(400))
    expect(await talk()).toEqual(refused(401))
    expect(decisions().map(([, , reason]) => reason)).toEqual([
      'expired',
      'insufficient_scope',
      expect.any(String),
      'missing',
    ])
  })
})

describe('requireMcpCredential', () => {
  const agent = { threadId: 't1', providerInstanceId: 'p1', capabilities: ['preview'] }
  const gateOf = () => requireMcpCredential({ credentials, audit: recorded.audit })

  test('lets a live credential through, and takes it off the request', async () => {
    const seen: unknown[] = []
    gateOf().upgrade(server, '/live', (request, socket, head, principal) => {
      seen.push(request.headers.authorization, principalOf(request, 'mcp-credential') === principal)
      sockets.handleUpgrade(request, socket, head, (client) => client.send('open'))
    })
    const { authorizationHeader } = await credentials.issue(agent)
    expect(await talk({ Authorization: authorizationHeader })).toBe('open')
    expect(seen).toEqual([undefined, true])
  })

  test('refuses a revoked one, a malformed one, and none', async () => {
    serve(gateOf())
    const { authorizationHeader, credentialId } = await credentials.issue(agent)
    await credentials.revoke(credentialId)
    expect(await talk({ Authorization: authorizationHeader })).toEqual(refused(401))
    expect(await talk({ Authorization: 'Bearer ' })).toEqual(refused(401))
    expect(await talk()).toEqual(refused(401))
    expect(decisions().map(([, , reason]) => reason)).toEqual(['revoked', 'placeholder', 'missing'])
  })

  test('closes the open sockets of a credential when it is revoked, and no others', async () => {
    serve(gateOf())
    const connectAs = async () => {
      const { authorizationHeader, credentialId } = await credentials.issue({ ...agent, threadId: crypto.randomUUID() })
      const client = new WebSocket(`ws://127.0.0.1:${port}/live`, { headers: { Authorization: authorizationHeader } })
      await once(client, 'open')
      return { client, credentialId }
    }
    const revoked = await connectAs()
    const other = await connectAs()
    const closed = once(revoked.client, 'close')
    await credentials.revoke(revoked.credentialId)
    await closed
    other.client.send('still here')
    expect(String((await once(other.client, 'message'))[0])).toBe('mcp-credential: still here')
    other.client.terminate()
  })

  test('with `tools` takes no upgrades, because there is no body to look into', () => {
    const gate = requireMcpCredential({ credentials, tools: { '*': 'preview' } })
    expect(() => serve(gate)).toThrow(
      expect.objectContaining({
        code: 'ERR_COUNTERSIGN_BODY_NEEDED',
        message: expect.stringContaining('requireMcpCredential.upgrade: "tools" decides on the body'),
      }),
    )
  })
})

describe('requireSettingsSession', () => {
  async function cookieOf(): Promise<string> {
    const browser = new Browser()
    await settings.deliver(await settings.issueLink({ platform: 'test', userId: 'u1' }), async (link) => {
      await browser.confirm(link.reveal('deliver-to-user'))
    })
    return Array.from(browser.cookies, ([name, value]) => `${name}=${value}`).join('; ')
  }
  const gateOf = () => requireSettingsSession({ settings, audit: recorded.audit })

  test('lets a page of our own through', async () => {
    serve(gateOf())
    const cookie = await cookieOf()
    expect(await talk({ Cookie: cookie, Origin: origin })).toBe('settings-session: hello')
    const fetchMetadata = { 'Sec-Fetch-Site': 'same-origin', 'Sec-Fetch-Mode': 'websocket' }
    expect(await talk({ Cookie: cookie, Origin: origin, ...fetchMetadata })).toBe('settings-session: hello')
    expect(
      decisions()
        .slice(-2)
        .map(([route, gate]) => [route, gate]),
    ).toEqual([
      ['/live', 'settings-session'],
      ['/live', 'settings-session'],
    ])
  })

  test.each<[string, () => Headers]>([
    ['another site', () => ({ Origin: 'https://evil.example' })],
    ['a sibling port', () => ({ Origin: 'http://localhost:1' })],
    ['a sandboxed page', () => ({ Origin: 'null' })],
    [
      'a sandboxed page that the browser calls same-origin',
      () => ({ Origin: 'null', 'Sec-Fetch-Site': 'same-origin' }),
    ],
    ['nobody who says so', () => ({})],
    ['nobody but the metadata', () => ({ 'Sec-Fetch-Site': 'same-origin' })],
    ['our origin, called another site', () => ({ Origin: origin, 'Sec-Fetch-Site': 'cross-site' })],
    ['a program with the CSRF token alone', () => ({ 'X-CSRF-Token': 'whatever' })],
  ])('refuses an upgrade of %s, although the cookie is good', async (_title, headers) => {
    serve(gateOf())
    expect(await talk({ Cookie: await cookieOf(), ...headers() })).toEqual(refused(403))
    expect(decisions().at(-1)).toEqual(['/live', 'settings-session', 'cross_site'])
  })

  test('refuses a bad cookie, none, and a browser that would get a page elsewhere gets the problem document', async () => {
    serve(gateOf())
    const html = { Origin: origin, Accept: 'text/html' }
    expect(await talk({ Cookie: '__Host-countersign-settings=nonsense', ...html })).toEqual(refused(401))
    expect(await talk(html)).toEqual(refused(401))
    expect(decisions().map(([, , reason]) => reason)).toEqual(['malformed', 'missing'])
  })

  test('does so, too, where a library runs the routes of Express on upgrades', async () => {
    const cookie = await cookieOf()
    const app = express()
    app.get('/live', gateOf(), (_request, response) => {
      response.end('let in')
    })
    server.removeAllListeners('request').on('request', app)
    const handshake = { Connection: 'Upgrade', Upgrade: 'websocket', Cookie: cookie }
    const answer = async (headers: Headers) => {
      const socket = connect(port, '127.0.0.1')
      const lines = Object.entries({ ...handshake, ...headers }).map(([name, value]) => `${name}: ${value}\r\n`)
      socket.write(`GET /live HTTP/1.1\r\nHost: localhost\r\n${lines.join('')}\r\n`)
      const [first] = (await once(socket, 'data')) as [Buffer]
      socket.destroy()
      return String(first).split('\r\n', 1)[0]
    }
    expect(await answer({ Origin: 'https://evil.example' })).toBe('HTTP/1.1 403 Forbidden')
    expect(await answer({ Origin: origin })).toBe('HTTP/1.1 200 OK')
  })
})

describe('firstPresented, optional() and outages', () => {
  test('each of four gates takes its own credential on one path', async () => {
    const secrets = memorySecrets([{ caller: SIGNER.caller, version: 1, secret: SIGNER.secret }])
    const { audit } = recorded
    serve(
      firstPresented(
        requireMcpCredential({ credentials, audit }),
        requireOAuthBearer({ issuer: issuer.url, resource: issuer.resource, audit }),
        requireHmac({ secrets, audience: SIGNER.audience, audit }),
        requireSettingsSession({ settings, audit }),
      ),
    )
    const issued = await credentials.issue({ threadId: 't1', providerInstanceId: 'p1', capabilities: [] })
    const { headers } = signedRequest({ ...SIGNER, method: 'GET', url: `http://127.0.0.1:${port}/live` })
    expect(await talk({ Authorization: issued.authorizationHeader })).toBe('mcp-credential: hello')
    expect(await talk({ Authorization: `Bearer ${await issuer.token()}` })).toBe('oauth-bearer: hello')
    expect(await talk(headers)).toBe('hmac: hello')
    expect(await talk({ ...headers, Authorization: issued.authorizationHeader })).toEqual(refused(400))
    const none = await talk()
    expect(none).toEqual(refused(401))
    expect((none as Refused).headers['www-authenticate']).toMatch(/^Bearer .*Countersign-HMAC/)
  })

  test('an optional gate lets nobody through as nobody, and refuses a bad token', async () => {
    serve(requireOAuthBearer({ issuer: issuer.url, resource: issuer.resource, audit: recorded.audit }).optional())
    expect(await talk()).toBe('nobody: hello')
    expect(await talk({ Authorization: `Bearer ${await issuer.token()}` })).toBe('oauth-bearer: hello')
    expect(await talk({ Authorization: 'Bearer nonsense' })).toEqual(refused(401))
  })

  test('a store that cannot be asked is 503, and a required sink that fails, too', async () => {
    const { knows: _knows, ...store } = memorySecrets([])
    const secrets = { ...store, versions: () => Promise.reject(new UnavailableError('secret_store', 'down')) }
    serve(requireHmac({ secrets, callers: ['scheduler'], audience: SIGNER.audience, audit: recorded.audit }))
    const { headers } = signedRequest({ ...SIGNER, method: 'GET', url: `http://127.0.0.1:${port}/live` })
    const answer = await talk(headers)
    expect(answer).toEqual(refused(503))
    expect((answer as Refused).headers['retry-after']).toBe('1')
    expect(decisions()).toEqual([['/live', 'hmac', 'secret_store']])

    recorded.audit.subscribe(() => Promise.reject(new Error('full')), { required: true })
    requireMcpCredential({ credentials, audit: recorded.audit }).upgrade(server, '/agents', () => undefined)
    const issued = await credentials.issue({ threadId: 't1', providerInstanceId: 'p1', capabilities: [] })
    expect(await talk({ Authorization: issued.authorizationHeader }, '/agents')).toEqual(refused(503))
    expect(decisions().at(-1)).toEqual(['/agents', 'mcp-credential', 'audit_sink'])
  })
})
