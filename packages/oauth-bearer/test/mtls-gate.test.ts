import { X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { createServer as createPlainServer } from 'node:http'
import { Agent, createServer, request, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import { asOAuthTokenVerifier } from '@countersign/core/mcp-sdk'
import { type RequireOAuthBearerOptions, requireOAuthBearer } from '@countersign/oauth-bearer'
import { explainToken } from '@countersign/oauth-bearer/explain'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals'
import express, { type Express } from 'express'
import { recordedAudit } from '../../../test/support/audit-recorder.js'
import { dpopKey, dpopProof } from '../../../test/support/dpop-proof.js'
import { CLIENT_CERTIFICATE, CLIENT_KEY, TEST_CERTIFICATE, TEST_KEY } from '../../../test/support/test-certificate.js'
import { certificateDigest } from '../src/proof/certificate.js'
import { RESOURCE } from './harness.js'
import { type RealProvider, startProvider } from './provider.js'
import { type IssuerKey, makeKey, signToken } from './test-issuer.js'

const ISSUER = 'https://issuer.example.com'
const thumbprint = (certificate: string) => Buffer.from(certificateDigest(certificate) ?? []).toString('base64url')
const OWN = thumbprint(CLIENT_CERTIFICATE)
const client = { cert: CLIENT_CERTIFICATE, key: CLIENT_KEY }
const other = { cert: TEST_CERTIFICATE, key: TEST_KEY }

let key: IssuerKey
let app: Express
let server: Server
let recorded: ReturnType<typeof recordedAudit>
beforeAll(async () => {
  key = await makeKey('k1', 'ES256')
})
beforeEach(async () => {
  recorded = recordedAudit()
  app = express()
  server = createServer({ cert: TEST_CERTIFICATE, key: TEST_KEY, requestCert: true, rejectUnauthorized: false }, app)
  await once(server.listen(0, '127.0.0.1'), 'listening')
})
afterEach(async () => {
  server.closeAllConnections()
  await once(server.close(), 'close')
})

function mount(mtls: RequireOAuthBearerOptions['mtls'], options: Partial<RequireOAuthBearerOptions> = {}): void {
  const jwks = { keys: [key.jwk] }
  const gate = requireOAuthBearer({
    resource: RESOURCE,
    issuer: { issuer: ISSUER, jwks },
    audit: recorded.audit,
    mtls,
    ...options,
  })
  app.use(gate.metadata())
  app.get('/', gate, (incoming, response) => void response.json(incoming.principal))
}

const tokenOf = (claims: Record<string, unknown> = {}) =>
  signToken(key, { issuer: ISSUER, audience: RESOURCE, now: Date.now() }, { claims })
const bound = (cnf: object = { 'x5t#S256': OWN }) => tokenOf({ cnf })

interface Sent {
  readonly certificate?: { readonly cert: string; readonly key: string } | undefined
  readonly headers?: Record<string, string>
  readonly scheme?: string
  readonly path?: string
  readonly agent?: Agent
}

async function send(token: string, { certificate, headers = {}, scheme = 'Bearer', path = '/', agent }: Sent = {}) {
  const { port } = server.address() as AddressInfo
  const sent = request({
    host: '127.0.0.1',
    port,
    path,
    ca: TEST_CERTIFICATE,
    servername: 'localhost',
    agent: agent ?? false,
    headers: { authorization: `${scheme} ${token}`, ...headers },
    ...certificate,
  }).end()
  const [response] = await once(sent, 'response')
  let text = ''
  for await (const chunk of response) text += chunk
  return { status: response.statusCode as number, json: JSON.parse(text || '{}'), headers: response.headers }
}

describe('[mtls-bound] a token that is bound to a certificate', () => {
  test('is good over a connection with that certificate, each time', async () => {
    mount('accepted')
    const token = await bound()
    const cases = [client, other, undefined, client, other]
    const seen: number[] = []
    for (const certificate of cases) seen.push((await send(token, { certificate })).status)
    expect(seen).toEqual([200, 401, 401, 200, 401])
    expect(recorded.events.map(({ reason, attributes }) => [reason, attributes?.part, attributes?.hint])).toEqual([
      [undefined, undefined, undefined],
      ['bound_token', 'certificate', 'another'],
      ['bound_token', 'certificate', 'none'],
      [undefined, undefined, undefined],
      ['bound_token', 'certificate', 'another'],
    ])
  })

  test('shows the certificate on the principal, and is refused as an invalid token', async () => {
    mount('accepted')
    const good = await send(await bound(), { certificate: client })
    expect(good.json.confirmation).toEqual({ 'x5t#S256': OWN })
    const bad = await send(await bound(), { certificate: other })
    expect(bad.json).toMatchObject({ error: 'invalid_token' })
    expect(bad.headers['www-authenticate']).toMatch(/^Bearer .*error="invalid_token"/)
  })

  test('is good on a resumed TLS session', async () => {
    mount('accepted')
    const agent = new Agent({ maxCachedSessions: 10, keepAlive: false, ...client, ca: TEST_CERTIFICATE })
    const token = await bound()
    for (let time = 0; time < 3; time += 1) expect((await send(token, { agent })).status).toBe(200)
    agent.destroy()
  })

  test('is refused by a gate without the option', async () => {
    mount(undefined)
    expect((await send(await bound(), { certificate: client })).status).toBe(401)
  })

  test.each<[string, object, number]>([
    ['another member of cnf beside it', { 'x5t#S256': OWN, kid: 'a' }, 200],
    ['another member alone', { kid: 'a' }, 401],
    ['a key for DPoP beside it', { 'x5t#S256': OWN, jkt: 'a' }, 401],
    ['a thumbprint that is no text', { 'x5t#S256': 7 }, 401],
    ['padding', { 'x5t#S256': `${OWN}=` }, 401],
    ['the thumbprint of SHA-1', { x5t: OWN }, 401],
  ])('with %s', async (_name, cnf, status) => {
    mount('accepted')
    expect((await send(await bound(cnf), { certificate: client })).status).toBe(status)
  })
})

describe('[mtls-modes] what else is taken', () => {
  test.each([
    ['accepted', 200],
    ['required', 401],
  ] as const)('%s: a token that is bound to nothing: %d', async (mode, status) => {
    mount(mode)
    expect((await send(await tokenOf(), { certificate: client })).status).toBe(status)
    expect((await send(await bound(), { certificate: client })).status).toBe(200)
  })

  test('[mtls-metadata] the metadata says that such tokens are supported', async () => {
    mount({ mode: 'accepted' })
    const { json } = await send('', { path: '/.well-known/oauth-protected-resource' })
    expect(json.tls_client_certificate_bound_access_tokens).toBe(true)
  })

  test('[mtls-and-dpop] a token that is bound to both needs both', async () => {
    mount('accepted', { dpop: 'accepted' })
    const held = await dpopKey()
    const token = await bound({ 'x5t#S256': OWN, jkt: held.jkt })
    const proven = async () => ({ dpop: await dpopProof({ key: held, token, url: new URL('/', RESOURCE).href }) })
    const both = await send(token, { certificate: client, scheme: 'DPoP', headers: await proven() })
    expect([both.status, both.json.confirmation]).toEqual([200, { jkt: held.jkt, 'x5t#S256': OWN }])
    expect((await send(token, { certificate: other, scheme: 'DPoP', headers: await proven() })).status).toBe(401)
    expect((await send(token, { certificate: client })).status).toBe(401)
  })
})

describe('[mtls-header] behind a proxy', () => {
  const der = new X509Certificate(CLIENT_CERTIFICATE).raw
  const headers = { 'client-cert': `:${der.toString('base64')}:` }

  test('a header field counts only where that was said', async () => {
    mount('accepted')
    expect((await send(await bound(), { headers })).status).toBe(401)
  })

  test.each<[readonly string[], number]>([
    [['127.0.0.0/8'], 200],
    [['10.0.0.0/8'], 401],
  ])('from the peers %p: %d', async (trust, status) => {
    mount({ header: { format: 'client-cert', trust } })
    expect((await send(await bound(), { headers })).status).toBe(status)
    // The connection's own certificate is the proxy's.
    expect((await send(await bound(), { certificate: client })).status).toBe(401)
  })

  test('[mtls-vary] what a certificate in a header field opens, no cache gives to another one', async () => {
    mount({ header: { format: 'client-cert', trust: ['127.0.0.0/8'] } })
    expect((await send(await bound(), { headers })).headers.vary).toBe('client-cert')
    expect((await send(await tokenOf(), { headers })).headers.vary).toBeUndefined()
  })

  test('[mtls-vary] a certificate of the connection itself is in no Vary', async () => {
    mount('accepted')
    expect((await send(await bound(), { certificate: client })).headers.vary).toBeUndefined()
  })

  test('the app can find the certificate itself', async () => {
    mount({ certificate: (incoming) => decodeURIComponent(String(incoming.headers['x-cert'])) })
    const escaped = { 'x-cert': encodeURIComponent(CLIENT_CERTIFICATE) }
    expect((await send(await bound(), { headers: escaped })).status).toBe(200)
    expect((await send(await bound(), { headers: { 'x-cert': 'text' } })).status).toBe(401)
  })

  test('what throws in the app is a bug, and lets nobody in', async () => {
    mount({
      certificate: () => {
        throw new TypeError('a bug')
      },
    })
    expect((await send(await bound(), { certificate: client })).status).toBe(500)
  })
})

test('a server without TLS has no certificate', async () => {
  mount('accepted')
  const plain = createPlainServer(app)
  await once(plain.listen(0, '127.0.0.1'), 'listening')
  const { port } = plain.address() as AddressInfo
  const answer = await fetch(`http://127.0.0.1:${port}/`, { headers: { authorization: `Bearer ${await bound()}` } })
  expect(answer.status).toBe(401)
  plain.closeAllConnections()
  plain.close()
})

test.each<[unknown, string]>([
  ['always', '"mtls"'],
  [{ modes: 'required' }, 'modes'],
  [{ header: { format: 'client-cert' } }, '"mtls.header.trust"'],
  [{ header: { format: 'der', trust: ['::1'] } }, '"mtls.header.format"'],
  [{ header: { format: 'xfcc', trust: ['::1'] }, certificate: () => undefined }, '"mtls.certificate"'],
  [{ certificate: async () => undefined }, '"mtls.certificate"'],
])('the option %p fails at creation', (mtls, message) => {
  expect(() => mount(mtls as never)).toThrow(message)
})

describe('[mtls-composed] beside other gates, and on its other ways in', () => {
  const gateFor = (mtls: RequireOAuthBearerOptions['mtls'], options: Partial<RequireOAuthBearerOptions> = {}) =>
    requireOAuthBearer({
      resource: RESOURCE,
      issuer: { issuer: ISSUER, jwks: { keys: [key.jwk] } },
      audit: recorded.audit,
      mtls,
      ...options,
    })

  test('an optional gate asks for the certificate', async () => {
    app.get('/optional', gateFor('accepted').optional(), (incoming, response) => void response.json(incoming.principal))
    const token = await bound()
    const good = await send(token, { path: '/optional', certificate: client })
    expect(good.json.confirmation).toEqual({ 'x5t#S256': OWN })
    expect((await send(token, { path: '/optional', certificate: other })).status).toBe(401)
  })

  test('an upgrade needs the certificate', async () => {
    const done = gateFor('accepted').upgrade(server, '/live', (_request, socket) => {
      socket.end('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: test\r\n\r\n')
    })
    const token = await bound()
    const upgrade = (certificate: Sent['certificate']) =>
      new Promise<number | undefined>((resolve, reject) => {
        const { port } = server.address() as AddressInfo
        const headers = { authorization: `Bearer ${token}`, connection: 'Upgrade', upgrade: 'test' }
        const options = {
          host: '127.0.0.1',
          port,
          path: '/live',
          ca: TEST_CERTIFICATE,
          servername: 'localhost',
          headers,
        }
        const sent = request({ ...options, agent: false, ...certificate })
        sent.on('upgrade', (response, socket) => {
          socket.destroy()
          resolve(response.statusCode)
        })
        sent.on('response', (response) => resolve(response.resume().statusCode)).on('error', reject)
        sent.end()
      })
    expect([await upgrade(client), await upgrade(other), await upgrade(undefined)]).toEqual([101, 401, 401])
    done()
  })

  test('the adapter of the MCP SDK says what it cannot check, and refuses bound tokens', async () => {
    expect(() => asOAuthTokenVerifier(gateFor('required'))).toThrow(/"mtls" needs the request/)
    const verifier = asOAuthTokenVerifier(gateFor('accepted'))
    await expect(verifier.verifyAccessToken(await bound())).rejects.toMatchObject({ code: 'invalid_token' })
    await expect(verifier.verifyAccessToken(await tokenOf())).resolves.toMatchObject({ clientId: 'c1' })
  })

  test('a legacy token is taken until its end, where certificates are required, too', async () => {
    const legacy = { scheme: 'Token', tokens: { u1: 'an-old-token-of-the-app' }, until: '2099-01-01T00:00:00Z' }
    app.get('/legacy', gateFor('required', { legacy }), (_request, response) => void response.json({}))
    expect((await send('an-old-token-of-the-app', { path: '/legacy', scheme: 'Token' })).status).toBe(200)
  })
})

test('[mtls-bound] explainToken has no connection, so it does not call a bound token good', async () => {
  const jwks = { keys: [key.jwk] }
  const options = { resource: RESOURCE, issuer: { issuer: ISSUER, jwks }, mtls: 'accepted' } as const
  const { verdict } = await explainToken(await bound(), options)
  expect(verdict).toMatchObject({ outcome: 'denied', reason: 'bound_token' })
  expect((await explainToken(await tokenOf(), options)).verdict.outcome).toBe('granted')
})

describe('[mtls-real-provider] tokens that oidc-provider bound to a certificate', () => {
  let provider: RealProvider
  beforeAll(async () => {
    provider = await startProvider()
  }, 30_000)
  afterAll(() => provider.stop())

  test.each([
    ['a JWT', RESOURCE, 'jwt'],
    ['an opaque token', `${new URL(RESOURCE).origin}/opaque`, 'introspection'],
  ])('%s', async (_name, resource, via) => {
    const introspection = { clientId: 'resource', clientSecret: 'the-secret-of-the-resource' }
    mount('required', { resource, issuer: { issuer: provider.issuer, introspection } })
    const token = await provider.boundToken(resource, CLIENT_CERTIFICATE)
    const good = await send(token, { certificate: client })
    expect([good.status, good.json.via, good.json.confirmation]).toEqual([200, via, { 'x5t#S256': OWN }])
    expect((await send(token, { certificate: other })).status).toBe(401)
    expect((await send(await provider.machineToken(resource), { certificate: client })).status).toBe(401)
  })
})
