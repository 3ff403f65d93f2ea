import { once } from 'node:events'
import { Agent, createServer, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type RequireOAuthBearerOptions, requireOAuthBearer } from '@countersign/oauth-bearer'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals'
import { startChildApp } from '../../../test/support/child-app.js'
import { type ConnectProxy, startProxy } from './connect-proxy.js'
import { type Harness, oauthApp, RESOURCE } from './harness.js'
import { makePrivateCa, type PrivateCa } from './private-ca.js'
import { type IssuerKey, makeKey, signToken } from './test-issuer.js'

const CHILD = join(dirname(fileURLToPath(import.meta.url)), 'network-process.ts')
/** No DNS server has this name: without the proxy nothing is there. */
const ISSUER = 'https://issuer.test'

let key: IssuerKey
let app: Harness | undefined
beforeAll(async () => {
  key = await makeKey('k1', 'ES256')
})
afterEach(async () => {
  await app?.stop()
  app = undefined
})

const tokenOf = (issuer: string, claims = {}) =>
  signToken(key, { issuer, audience: RESOURCE, now: app?.clock.now() ?? Date.now() }, { claims })
const outcome = async (token: string) => `${(await app?.get(token))?.status} ${app?.last()}`
const failure = () => app?.events.findLast(({ type }) => type === 'oauth.keys.unavailable')?.attributes?.failure
const thrownBy = (options: Partial<RequireOAuthBearerOptions>): string | undefined => {
  try {
    requireOAuthBearer({ resource: RESOURCE, issuer: 'https://auth.example.com', ...options })
  } catch (error) {
    return (error as Error).message
  }
  return undefined
}

describe('https through a proxy, with a certificate of a private authority', () => {
  let ca: PrivateCa
  let server: Server
  let proxy: ConnectProxy
  let network: Record<string, number>
  const before = { ...process.env }
  const requests: string[] = []

  beforeAll(async () => {
    ca = makePrivateCa('DNS:issuer.test', 'DNS:localhost', 'IP:127.0.0.1')
    server = createServer({ key: ca.key, cert: ca.cert }, (request, response) => {
      requests.push(`${request.headers.host} ${request.url}`)
      const documents: Record<string, object> = {
        '/.well-known/oauth-authorization-server': {
          issuer: ISSUER,
          jwks_uri: `${ISSUER}/jwks`,
          introspection_endpoint: `${ISSUER}/introspect`,
        },
        '/jwks': { keys: [key.jwk] },
        '/introspect': { active: true },
      }
      response.end(JSON.stringify(documents[request.url ?? ''] ?? {}))
    }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    network = { 'issuer.test:443': (server.address() as AddressInfo).port }
  })
  beforeEach(async () => {
    proxy = await startProxy(network)
    requests.length = 0
    for (const name of ['https_proxy', 'no_proxy', 'NO_PROXY']) delete process.env[name]
    process.env.HTTPS_PROXY = `http://127.0.0.1:${proxy.port}`
  })
  afterEach(async () => {
    Object.assign(process.env, before)
    for (const name of ['HTTPS_PROXY', 'https_proxy', 'NO_PROXY', 'no_proxy']) {
      if (before[name] === undefined) delete process.env[name]
    }
    await proxy.close()
  })
  afterAll(async () => {
    server.closeAllConnections()
    server.close()
    await once(server, 'close')
    ca.remove()
  })

  const start = async (options: Partial<RequireOAuthBearerOptions>) => {
    app = await oauthApp({ issuer: ISSUER, ...options })
  }

  test('useEnvProxy: metadata, keys and introspection go through HTTPS_PROXY, and TLS ends at the issuer', async () => {
    const introspection = { clientId: 'c', clientSecret: 's', mode: 'always' as const }
    await start({ useEnvProxy: true, ca: ca.ca, issuer: { issuer: ISSUER, introspection } })
    expect(await outcome(await tokenOf(ISSUER))).toBe('200 granted')
    expect(await outcome(await tokenOf(ISSUER))).toBe('200 granted')
    expect(requests).toEqual([
      'issuer.test /.well-known/oauth-authorization-server',
      'issuer.test /jwks',
      'issuer.test /introspect',
      'issuer.test /introspect',
    ])
    // The connection of the second question is the first one's.
    expect(proxy.asked).toEqual(Array(3).fill('issuer.test:443'))
    expect(proxy.credentials).toEqual(Array(3).fill(undefined))
  })

  test.each([
    ['without useEnvProxy', {}],
    ['with the issuer in NO_PROXY', { useEnvProxy: true }],
  ])('%s the proxy is not asked', async (_name, options) => {
    process.env.NO_PROXY = 'localhost,.test'
    await start({ ca: ca.ca, ...options })
    expect(await outcome(await tokenOf(ISSUER))).toBe('503 keys')
    expect(failure()).toMatch(/^connection (?:ENOTFOUND|EAI_AGAIN)$|^timeout$/)
    expect([proxy.asked, requests]).toEqual([[], []])
  })

  test('[oauth-tls] a private authority that is not given is not trusted, in a tunnel either', async () => {
    await start({ useEnvProxy: true })
    expect(await outcome(await tokenOf(ISSUER))).toBe('503 keys')
    expect(failure()).toMatch(/^connection (?:UNABLE_TO|SELF_SIGNED|DEPTH)/)
    expect(requests).toEqual([])
  })

  test('[oauth-tls] the name in the certificate must be the issuer’s, in a tunnel too', async () => {
    network['other.test:443'] = network['issuer.test:443'] as number
    await start({ useEnvProxy: true, ca: ca.ca, issuer: 'https://other.test' })
    expect(await outcome(await tokenOf('https://other.test'))).toBe('503 keys')
    expect(failure()).toBe('connection ERR_TLS_CERT_ALTNAME_INVALID')
    expect(requests).toEqual([])
  })

  test('a proxy with a password, asked over https', async () => {
    await proxy.close()
    proxy = await startProxy(network, ca)
    process.env.HTTPS_PROXY = `https://me:p%40ss@127.0.0.1:${proxy.port}`
    await start({ useEnvProxy: true, ca: [ca.ca] })
    expect(await outcome(await tokenOf(ISSUER))).toBe('200 granted')
    expect(proxy.credentials[0]).toBe(`Basic ${Buffer.from('me:p@ss').toString('base64')}`)
  })

  test.each([
    ['does not know the name', 'nowhere.test', undefined, 'connection PROXY_502'],
    ['wants a password', 'issuer.test', 'HTTP/1.1 407 Proxy Authentication Required\r\n\r\n', 'connection PROXY_407'],
    ['hangs up', 'issuer.test', '', 'connection PROXY_ECONNRESET'],
    ['speaks for the server', 'issuer.test', 'HTTP/1.1 200 OK\r\n\r\n{"keys":[]}', 'connection PROXY_EARLY_DATA'],
  ])('a proxy that %s is an outage, and its failure is told', async (_name, host, text, expected) => {
    if (text !== undefined) proxy.answer = (socket) => (text === '' ? socket.destroy() : socket.end(text))
    await start({ useEnvProxy: true, ca: ca.ca, issuer: `https://${host}` })
    expect(await outcome(await tokenOf(`https://${host}`))).toBe('503 keys')
    expect(failure()).toBe(expected)
  })

  test('a proxy that is not there, and one that hangs, are outages within the time limits', async () => {
    const { port } = proxy
    proxy.answer = () => undefined
    await start({
      useEnvProxy: true,
      ca: ca.ca,
      issuer: { issuer: ISSUER, jwksUri: `${ISSUER}/jwks`, keysTimeoutMs: 100 },
    })
    expect(await outcome(await tokenOf(ISSUER))).toBe('503 keys')
    expect(failure()).toBe('timeout')
    await app?.stop()
    await proxy.close()
    await start({ useEnvProxy: true, ca: ca.ca })
    expect(await outcome(await tokenOf(ISSUER))).toBe('503 keys')
    expect(failure()).toBe('connection PROXY_ECONNREFUSED')
    proxy = await startProxy(network)
    expect(port).toBeGreaterThan(0)
  })

  test('the rules on URLs and addresses stay: metadata does not lead through the proxy to an internal address', async () => {
    app = await oauthApp(({ url }) => ({ issuer: url, useEnvProxy: true, ca: ca.ca }))
    for (const place of ['https://10.0.0.1/jwks', 'https://[fd00::1]/jwks', 'http://issuer.test/jwks']) {
      app.issuer.metadata = { jwks_uri: place }
      app.clock.advance(60_000)
      expect(await outcome(await tokenOf(app.issuer.url))).toBe('503 keys')
      expect(failure()).toBe('invalid jwks_uri')
    }
    expect(proxy.asked).toEqual([])
    app.issuer.metadata = { jwks_uri: `${ISSUER}/jwks` }
    app.clock.advance(60_000)
    expect(await outcome(await tokenOf(app.issuer.url))).toBe('200 granted')
    expect(proxy.asked).toEqual(['issuer.test:443'])
  })

  test('an agent of the app’s makes every https connection', async () => {
    const agent = new Agent()
    const asked: unknown[] = []
    const createConnection = agent.createConnection.bind(agent)
    agent.createConnection = (options, callback) => {
      asked.push((options as { host?: string }).host)
      const { port } = server.address() as AddressInfo
      return createConnection({ ...options, host: '127.0.0.1', port, servername: 'issuer.test' }, callback)
    }
    await start({ agent, ca: ca.ca })
    expect(await outcome(await tokenOf(ISSUER))).toBe('200 granted')
    expect(asked).toEqual(['issuer.test', 'issuer.test'])
  })

  test('a private authority, without a proxy: given as an option, beside those that Node trusts', async () => {
    const issuer = `https://localhost:${(server.address() as AddressInfo).port}`
    await start({ ca: Buffer.from(ca.ca), issuer: { issuer, jwksUri: `${issuer}/jwks` } })
    expect(await outcome(await tokenOf(issuer))).toBe('200 granted')
  })

  test('a process with NODE_EXTRA_CA_CERTS, HTTPS_PROXY and no more', async () => {
    const gate = { resource: RESOURCE, issuer: ISSUER, useEnvProxy: true }
    const env = {
      GATE: JSON.stringify(gate),
      NODE_EXTRA_CA_CERTS: ca.file,
      HTTPS_PROXY: `http://127.0.0.1:${proxy.port}`,
      https_proxy: '',
      NO_PROXY: '',
    }
    const child = await startChildApp(CHILD, env)
    const { status } = await fetch(child.url, { headers: { authorization: `Bearer ${await tokenOf(ISSUER)}` } })
    await child.stop()
    expect([status, proxy.asked]).toEqual([200, Array(2).fill('issuer.test:443')])
    // With an authority of its own beside it, both are trusted.
    const another = makePrivateCa('DNS:another.test')
    const both = await startChildApp(CHILD, { ...env, GATE: JSON.stringify({ ...gate, ca: another.ca }) })
    const answer = await fetch(both.url, { headers: { authorization: `Bearer ${await tokenOf(ISSUER)}` } })
    await both.stop()
    another.remove()
    expect(answer.status).toBe(200)
  }, 60_000)

  test.each([
    [{ HTTPS_PROXY: 'proxy.example.com:3128' }, { useEnvProxy: true }, '"useEnvProxy" is true, but HTTPS_PROXY'],
    [{ HTTPS_PROXY: 'socks5://a:secret@b' }, { useEnvProxy: true }, '"useEnvProxy" is true, but HTTPS_PROXY'],
    [{ HTTPS_PROXY: 'http://a:%zz@b' }, { useEnvProxy: true }, '"useEnvProxy" is true, but HTTPS_PROXY'],
    [{}, { useEnvProxy: true, agent: new Agent() }, '"useEnvProxy" cannot be combined with "agent"'],
    [{}, { ca: 'CA', agent: new Agent() }, '"ca" must be one or more certificates in PEM'],
    [{}, { ca: [] }, '"ca" must be'],
    [{}, { agent: {} as Agent }, '"agent" must be an Agent of node:https'],
    [{}, { issuer: { issuer: ISSUER, keysTimeoutMs: 0 } }, '"issuer.keysTimeoutMs" must be an integer from 1'],
  ])('%j with %j fails the start', (env, options, message) => {
    Object.assign(process.env, env)
    const thrown = thrownBy(options)
    expect(thrown).toContain(message)
    expect(thrown).not.toContain('secret')
  })
})
