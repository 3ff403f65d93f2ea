import type { ServerResponse } from 'node:http'
import { afterEach, describe, expect, test } from '@jest/globals'
import { type RunningServer, serve } from '../../../test/support/http-server.js'
import { destinationFromMetadata, isPublicAddress } from '../src/http/destination.js'
import { metadataUrls } from '../src/http/discover-issuer.js'
import { fetchBounded } from '../src/http/request.js'
import { type Harness, oauthApp } from './harness.js'

let app: Harness | undefined
let other: RunningServer | undefined
afterEach(async () => {
  await app?.stop()
  await other?.close()
  app = other = undefined
})

describe('an issuer’s metadata', () => {
  test.each([
    [
      'https://auth.example.com',
      [
        'https://auth.example.com/.well-known/oauth-authorization-server',
        'https://auth.example.com/.well-known/openid-configuration',
      ],
    ],
    [
      'https://example.auth0.com/',
      [
        'https://example.auth0.com/.well-known/oauth-authorization-server',
        'https://example.auth0.com/.well-known/openid-configuration',
      ],
    ],
    [
      'https://auth.example.com/realms/a',
      [
        'https://auth.example.com/.well-known/oauth-authorization-server/realms/a',
        'https://auth.example.com/realms/a/.well-known/openid-configuration',
        'https://auth.example.com/.well-known/openid-configuration/realms/a',
      ],
    ],
  ])('of %s is looked for in its places, in this order', (issuer, places) => {
    expect(metadataUrls(issuer).map(String)).toEqual(places)
  })

  test('is that of an OpenID provider if there is none of RFC 8414', async () => {
    app = await oauthApp()
    const { issuer } = app
    issuer.answer('/.well-known/oauth-authorization-server', (_request, response) => void response.writeHead(404).end())
    issuer.answer('/.well-known/openid-configuration', (_request, response) => {
      response.end(JSON.stringify({ issuer: issuer.url, jwks_uri: `${issuer.url}/jwks` }))
    })
    expect((await app.get(await app.token())).status).toBe(200)
  })

  test.each([
    (url: string) => `${url}/`,
    (url: string) => url.replace('127.0.0.1', 'localhost'),
    (url: string) => url.replace('http', 'https'),
    () => 'https://auth.example.com',
    () => undefined,
    () => [],
  ])('of another issuer than exactly the configured one is not used: %s', async (nearly) => {
    app = await oauthApp()
    app.issuer.metadata = { issuer: nearly(app.issuer.url) }
    expect((await app.get(await app.token())).status).toBe(503)
    expect(app.issuer.fetches()).toBe(0)
    expect(app.events.find(({ type }) => type === 'oauth.keys.unavailable')?.attributes?.failure).toBe('invalid issuer')
  })
})

describe('an issuer’s metadata that is not available', () => {
  test('times out 3 s after the first request, for all places together', async () => {
    app = await oauthApp()
    const late = (_request: unknown, response: ServerResponse) => {
      setTimeout(() => response.writeHead(404).end(), 2000)
    }
    app.issuer.answer('/.well-known/oauth-authorization-server', late)
    app.issuer.answer('/.well-known/openid-configuration', late)
    expect((await app.get(await app.token())).status).toBe(503)
    const told = app.events.find(({ type }) => type === 'oauth.keys.unavailable')
    expect(told?.attributes?.failure).toBe('timeout')
  })
})

describe('a place of metadata', () => {
  test.each([
    ['that hangs', () => undefined],
    ['whose connection a firewall cuts', (_request: unknown, { socket }: ServerResponse) => socket?.resetAndDestroy()],
  ])('%s does not keep the next one from being asked', async (_name, answer) => {
    app = await oauthApp()
    const { issuer } = app
    issuer.answer('/.well-known/oauth-authorization-server', (request, response) => void answer(request, response))
    issuer.answer('/.well-known/openid-configuration', (_request, response) => {
      response.end(JSON.stringify({ issuer: issuer.url, jwks_uri: `${issuer.url}/jwks` }))
    })
    expect((await app.get(await app.token())).status).toBe(200)
  })

  test('that hangs is outdone by whichever place has the document, itself included', async () => {
    app = await oauthApp(({ url }) => ({ issuer: { issuer: url, metadataTimeoutMs: 20_000 } }))
    const { issuer } = app
    let late: ServerResponse | undefined
    issuer.answer('/.well-known/oauth-authorization-server', (_request, response) => {
      late = response
    })
    issuer.answer('/.well-known/openid-configuration', (_request, response) => {
      response.writeHead(404).end()
      late?.end(JSON.stringify({ issuer: issuer.url, jwks_uri: `${issuer.url}/jwks` }))
    })
    expect((await app.get(await app.token())).status).toBe(200)
  }, 60_000)

  test('that hangs fails after metadataTimeoutMs, and keys that hang after keysTimeoutMs', async () => {
    app = await oauthApp(({ url }) => ({ issuer: { issuer: url, metadataTimeoutMs: 200, keysTimeoutMs: 200 } }))
    const { issuer } = app
    const failure = () => app?.events.findLast(({ type }) => type === 'oauth.keys.unavailable')?.attributes?.failure
    for (const place of ['oauth-authorization-server', 'openid-configuration']) {
      issuer.answer(`/.well-known/${place}`, () => undefined)
    }
    const startedAt = performance.now()
    expect([(await app.get(await app.token())).status, failure()]).toEqual([503, 'timeout'])
    // The default is 3000.
    expect(performance.now() - startedAt).toBeLessThan(2900)
    issuer.answer('/.well-known/oauth-authorization-server', undefined)
    issuer.answer('/jwks', () => undefined)
    app.clock.advance(1000)
    expect((await app.get(await app.token())).status).toBe(503)
    expect(issuer.fetches()).toBe(1)
  })
})

describe('where metadata may lead', () => {
  const issuer = [new URL('https://auth.example.com/tenant')]

  test.each([
    'http://169.254.169.254/latest/meta-data/',
    'https://169.254.169.254/keys',
    'https://10.0.0.5/keys',
    'https://172.16.0.1/keys',
    'https://192.168.1.1/keys',
    'https://127.0.0.1/keys',
    'http://127.0.0.1:6379/',
    'https://localhost/keys',
    'https://[::1]/keys',
    'https://[::]/keys',
    'https://[fe80::1]/keys',
    'https://[fd00::1]/keys',
    'https://[::ffff:169.254.169.254]/keys',
    'https://[::ffff:a9fe:a9fe]/keys',
    'https://[64:ff9b::a9fe:a9fe]/keys',
    'https://[2002:a9fe:a9fe::]/keys',
    'https://0.0.0.0/keys',
    'https://2130706433/keys',
    'https://0x7f.1/keys',
    'https://0251.0376.0251.0376/keys',
    'https://100.64.0.1/keys',
    'https://224.0.0.1/keys',
    'http://auth.example.com/keys',
    'http://cdn.example.com/keys',
    'file:///etc/passwd',
    'data:application/json,{}',
    'ftp://auth.example.com/keys',
    'https://user:pass@auth.example.com/keys',
    'https://auth.example.com/keys#x',
    '/keys',
    '',
    1,
    undefined,
    ['https://auth.example.com/keys'],
  ])('[oauth-ssrf] not to %j', (place) => {
    expect(destinationFromMetadata(place, issuer, [])).toBeUndefined()
  })

  test('[oauth-ssrf] to its own host, to a configured one, and to public addresses', () => {
    const allowed = (place: string, trusted: string[] = []) => destinationFromMetadata(place, issuer, trusted)
    expect(allowed('https://auth.example.com/keys')?.lookup).toBeUndefined()
    expect(allowed('https://auth.example.com:8443/keys')).toBeDefined()
    expect(allowed('https://keys.internal/keys', ['keys.internal'])?.lookup).toBeUndefined()
    expect(allowed('https://keys.internal/keys')?.lookup).toBeInstanceOf(Function)
    expect(allowed('https://93.184.216.34/keys')).toBeDefined()
    expect(allowed('https://[2606:2800:220:1:248:1893:25c8:1946]/keys')).toBeDefined()
  })

  test('[oauth-ssrf] a name that resolves to an internal address is refused at lookup, so it cannot be rebound', async () => {
    const place = destinationFromMetadata('https://keys.example.com/keys', issuer, [])
    other = await serve((_request, response) => response.end('{}'))
    // The machine's own name for loopback: what a hostile DNS would answer.
    const url = new URL(`https://localhost:${other.port}/keys`)
    const asked = fetchBounded({ url, lookup: place?.lookup }, { timeoutMs: 1000, maxBytes: 100 })
    await expect(asked).rejects.toMatchObject({ failure: 'connection', code: 'ERR_COUNTERSIGN_SSRF' })
  })

  test('[oauth-ssrf] metadata of a public issuer that names an internal address causes no request there, and the answer is 503', async () => {
    let seen = 0
    other = await serve((_request, response) => {
      seen += 1
      response.end('{}')
    })
    app = await oauthApp()
    for (const place of [`http://10.0.0.1:${other.port}/`, `ftp://127.0.0.1:${other.port}/`, `http://a.example.com/`]) {
      app.issuer.metadata = { jwks_uri: place }
      app.clock.advance(60_000)
      expect((await app.get(await app.token())).status).toBe(503)
    }
    expect([seen, app.issuer.fetches()]).toEqual([0, 0])
  })

  test.each([
    ['93.184.216.34', true],
    ['8.8.8.8', true],
    ['2606:4700::1111', true],
    ['10.255.255.255', false],
    ['172.31.255.255', false],
    ['172.32.0.1', true],
    ['169.254.0.1', false],
    ['255.255.255.255', false],
    ['fc00::1', false],
    ['ff02::1', false],
    ['::ffff:8.8.8.8', false],
    ['not an address', false],
  ])('%s is public: %s', (address, isPublic) => {
    expect(isPublicAddress(address)).toBe(isPublic)
  })
})
