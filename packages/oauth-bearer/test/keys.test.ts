import type { ServerResponse } from 'node:http'
import { afterEach, describe, expect, test } from '@jest/globals'
import { type Harness, type HarnessOptions, oauthApp } from './harness.js'
import { makeKey } from './test-issuer.js'

let app: Harness
afterEach(() => app.stop())

const MINUTE = 60_000
const start = async (options: HarnessOptions = {}) => {
  app = await oauthApp(options)
}
const status = async (token: string | Promise<string>) => (await app.get(await token)).status

/** Waits until something that goes on in the background has come to an end. */
async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise((resolve) => setTimeout(resolve, 5))
}

/** How a key set can fail to come. */
const OUTAGES: Record<string, (response: ServerResponse) => void> = {
  reset: (response) => void response.socket?.destroy(),
  'status 500': (response) => void response.writeHead(500).end('{"keys":[]}'),
  'status 404': (response) => void response.writeHead(404).end(),
  'a redirect': (response) => void response.writeHead(302, { location: '/elsewhere' }).end(),
  HTML: (response) => void response.writeHead(200, { 'content-type': 'text/html' }).end('<html>login</html>'),
  'an empty body': (response) => void response.writeHead(200).end(),
  'an empty set': (response) => void response.end('{"keys":[]}'),
  'no set': (response) => void response.end('{}'),
  'a body that is cut': (response) => {
    response.writeHead(200, { 'content-length': '1000' })
    response.write('{"keys":[')
    setImmediate(() => response.socket?.destroy())
  },
  'a huge body': (response) => void response.end(`{"keys":[],"x":"${'a'.repeat(256 * 1024)}"}`),
  'too many keys': (response) => void response.end(JSON.stringify({ keys: Array(101).fill(app.key.jwk) })),
  'a compressed body': (response) => void response.writeHead(200, { 'content-encoding': 'gzip' }).end('x'),
  'only weak keys': (response) => void response.end(JSON.stringify({ keys: [{ ...app.key.jwk, use: 'enc' }] })),
}

const cut = (outage: (response: ServerResponse) => void) =>
  app.issuer.answer('/jwks', (_request, response) => outage(response))

describe('an outage of the key set', () => {
  test.each(Object.keys(OUTAGES))(
    '[oauth-jwks-outages] %s: cold it is 503 with Retry-After and no challenge, warm nobody notices',
    async (name) => {
      await start()
      cut(OUTAGES[name] as (response: ServerResponse) => void)
      const cold = await app.get(await app.token())
      expect([cold.status, app.last()]).toEqual([503, 'keys'])
      expect(cold.headers.get('retry-after')).toMatch(/^[1-9]\d*$/)
      expect(cold.headers.get('www-authenticate')).toBeNull()
      expect(cold.json).toEqual({ type: 'about:blank', title: 'Service Unavailable', status: 503 })

      // Back: the next one in is served.
      app.issuer.answer('/jwks', undefined)
      app.clock.advance(1000)
      expect(await status(app.token())).toBe(200)

      cut(OUTAGES[name] as (response: ServerResponse) => void)
      app.clock.advance(11 * MINUTE)
      expect(await status(app.token())).toBe(200)
      expect(await status(app.token())).toBe(200)
    },
  )

  test('[oauth-jwks-outages] hung: cold it is 503 after 3 s; warm a known key answers while the fetch hangs', async () => {
    await start()
    app.issuer.answer('/jwks', () => undefined)
    const startedAt = performance.now()
    expect(await status(app.token())).toBe(503)
    expect(performance.now() - startedAt).toBeGreaterThan(2900)
    expect(performance.now() - startedAt).toBeLessThan(8000)

    app.issuer.answer('/jwks', undefined)
    app.clock.advance(1000)
    expect(await status(app.token())).toBe(200)
    app.issuer.answer('/jwks', () => undefined)
    // Refreshed ahead: the fetch hangs, and who comes meanwhile does not.
    app.clock.advance(9 * MINUTE)
    const before = performance.now()
    expect(await status(app.token())).toBe(200)
    expect(performance.now() - before).toBeLessThan(1500)
    await until(() => app.issuer.fetches() === 3)
    expect(await status(app.token())).toBe(200)
    expect(app.issuer.fetches()).toBe(3)
  })

  test('[oauth-jwks-outages] a slow body counts into the 3 s', async () => {
    await start()
    let timer: NodeJS.Timeout | undefined
    cut((response) => {
      response.writeHead(200, { 'content-type': 'application/json' })
      response.write('{"keys":[')
      timer = setInterval(() => response.write(' '), 100)
    })
    const startedAt = performance.now()
    expect(await status(app.token())).toBe(503)
    expect(performance.now() - startedAt).toBeLessThan(8000)
    clearInterval(timer)
  })

  test('[oauth-jwks-outages] refused and never there: 503', async () => {
    await start()
    await app.issuer.close()
    expect(await status(app.token())).toBe(503)
    expect(app.last()).toBe('keys')
    const told = app.events.find(({ type }) => type === 'oauth.keys.unavailable')
    expect(told?.attributes).toEqual({
      issuer: app.issuer.url,
      failure: 'connection ECONNREFUSED',
      stale_keys_go_on: false,
    })
    app.issuer.close = async () => undefined
  })

  test('[oauth-jwks-outages] known keys go on for an hour after they were fresh, and not a moment longer', async () => {
    await start({ cache: false })
    expect(await status(app.token())).toBe(200)
    cut(OUTAGES.reset as (response: ServerResponse) => void)
    app.clock.advance(10 * MINUTE + 60 * MINUTE - 1)
    expect(await status(app.token())).toBe(200)
    app.clock.advance(1)
    expect(await status(app.token())).toBe(503)
    expect(app.last()).toBe('keys')
    app.issuer.answer('/jwks', undefined)
    app.clock.advance(30_000)
    expect(await status(app.token())).toBe(200)
  })

  test('[oauth-jwks-outages] past stale a cached verdict is no verdict either', async () => {
    await start()
    const now = Math.floor(app.clock.now() / 1000)
    const token = await app.token({ claims: { exp: now + 86_400 } })
    expect(await status(token)).toBe(200)
    cut(OUTAGES.reset as (response: ServerResponse) => void)
    app.clock.advance(70 * MINUTE - 1)
    expect(await status(token)).toBe(200)
    app.clock.advance(1)
    expect(await status(token)).toBe(503)
  })

  test('[oauth-five-minute-outage] for 5 minutes a known client sees no failure, and the issuer is left in peace', async () => {
    await start()
    const known = await app.token({ claims: { exp: Math.floor(app.clock.now() / 1000) + 3600 } })
    app.issuer.jwksHeaders = { 'cache-control': 'max-age=60' }
    expect(await status(known)).toBe(200)
    cut(OUTAGES['status 500'] as (response: ServerResponse) => void)
    const before = app.issuer.fetches()
    for (let second = 0; second < 300; second += 1) {
      app.clock.advance(1000)
      expect(await status(known)).toBe(200)
      if (second % 10 === 0) expect(await status(app.token())).toBe(200)
    }
    // At 48 s, then after 1, 2, 4, 8, 16 and 30 s, and 30 s on: each up to a fifth sooner.
    expect(app.issuer.fetches() - before).toBeLessThanOrEqual(16)
    expect(app.issuer.fetches() - before).toBeGreaterThanOrEqual(8)
    expect(app.events.filter(({ type }) => type === 'oauth.keys.unavailable')).toHaveLength(1)
  }, 30_000)

  test('in an outage each request is answered at once, and the issuer is asked again as its circuit allows', async () => {
    await start()
    cut(OUTAGES['status 500'] as (response: ServerResponse) => void)
    for (let round = 0; round < 20; round += 1) expect(await status(app.token())).toBe(503)
    expect(app.issuer.fetches()).toBe(1)
    app.clock.advance(1000)
    for (let round = 0; round < 20; round += 1) expect(await status(app.token())).toBe(503)
    expect(app.issuer.fetches()).toBe(2)
  })
})

describe('freshness', () => {
  test.each([
    [{}, 10],
    [{ 'cache-control': 'max-age=300' }, 5],
    [{ 'cache-control': 'public, max-age=1' }, 1],
    [{ 'cache-control': 'max-age=86400' }, 60],
    [{ 'cache-control': 'no-store' }, 1],
    [{ 'cache-control': 'max-age=300', age: '120' }, 3],
    [{ 'cache-control': 'max-age=soon' }, 10],
  ])(
    'with %j a set is fresh for %i min, and renewed ahead of that without anyone waiting',
    async (headers, minutes) => {
      await start()
      app.issuer.jwksHeaders = headers as Record<string, string>
      expect(await status(app.token())).toBe(200)
      app.clock.advance(minutes * MINUTE * 0.8 - 1)
      expect(await status(app.token())).toBe(200)
      expect(app.issuer.fetches()).toBe(1)
      app.clock.advance(1)
      expect(await status(app.token())).toBe(200)
      await until(() => app.issuer.fetches() === 2)
    },
  )

  test('who comes at once to a cold gate waits for one fetch', async () => {
    await start()
    const tokens = await Promise.all(Array.from({ length: 50 }, () => app.token()))
    expect(await Promise.all(tokens.map((token) => status(token)))).toEqual(Array(50).fill(200))
    expect(app.issuer.fetches()).toBe(1)
  })

  test('the metadata is read once, and again when the key set is not where it said', async () => {
    await start()
    expect(await status(app.token())).toBe(200)
    app.issuer.metadata = { jwks_uri: `${app.issuer.url}/moved` }
    app.issuer.answer('/moved', (_request, response) => void response.end(JSON.stringify({ keys: app.issuer.keys })))
    cut(OUTAGES['status 404'] as (response: ServerResponse) => void)
    app.clock.advance(10 * MINUTE)
    expect(await status(app.token())).toBe(200)
    app.clock.advance(MINUTE)
    expect(await status(app.token())).toBe(200)
    await until(() => app.issuer.requests.includes('/moved'))
  })
})

describe('rotation', () => {
  test('[oauth-rotation] a key that appears just after a fetch is found', async () => {
    await start()
    expect(await status(app.token())).toBe(200)
    const next = await makeKey('k2')
    app.issuer.keys = [app.key.jwk, next.jwk]
    expect(await status(app.token({}, next))).toBe(200)
    expect(app.issuer.fetches()).toBe(2)
    expect(await status(app.token())).toBe(200)
    expect(app.events.find(({ type }) => type === 'oauth.keys.rotated')?.attributes).toMatchObject({
      added: 1,
      removed: 0,
    })
  })

  test('[oauth-rotation] a key that is gone from a fresh set is distrusted at once, and so is what it verified', async () => {
    await start()
    const now = Math.floor(app.clock.now() / 1000)
    const old = await app.token({ claims: { exp: now + 86_400 } })
    expect(await status(old)).toBe(200)
    const next = await makeKey('k2')
    app.issuer.keys = [next.jwk]
    expect(await status(app.token({}, next))).toBe(200)
    expect(await status(old)).toBe(401)
    expect(app.last()).toBe('unknown_key')
    // Even without another key to bring it to light: with the next refresh.
    app.issuer.keys = [app.key.jwk]
    app.clock.advance(10 * MINUTE)
    expect(await status(old)).toBe(200)
    app.issuer.keys = [next.jwk]
    app.clock.advance(10 * MINUTE)
    expect(await status(old)).toBe(401)
  })

  test('[oauth-rotation] another key under the same name is another key', async () => {
    await start()
    const now = Math.floor(app.clock.now() / 1000)
    const old = await app.token({ claims: { exp: now + 86_400 } })
    expect(await status(old)).toBe(200)
    const next = await makeKey('k1')
    app.issuer.keys = [next.jwk]
    app.clock.advance(10 * MINUTE)
    expect(await status(app.token({}, next))).toBe(200)
    expect(await status(old)).toBe(401)
    expect(app.last()).toBe('bad_signature')
  })

  test('an unknown kid is 401 when the issuer says so, and 503 when it cannot be asked', async () => {
    await start()
    const stranger = await makeKey('k9')
    expect(await status(app.token({}, stranger))).toBe(401)
    expect(app.last()).toBe('unknown_key')
    // Its word counts for 15 s.
    expect(await status(app.token({}, stranger))).toBe(401)
    expect(app.issuer.fetches()).toBe(1)
    cut(OUTAGES['status 500'] as (response: ServerResponse) => void)
    const other = await makeKey('k8')
    expect(await status(app.token({}, other))).toBe(503)
    expect(app.last()).toBe('keys')
    expect(await status(app.token())).toBe(200)
  })

  test('a token without a kid is tried with the keys it could be from', async () => {
    await start()
    const next = await makeKey('k2')
    app.issuer.keys = [next.jwk, app.key.jwk]
    expect(await status(app.token({ header: { kid: undefined } }))).toBe(200)
    const ec = await makeKey('k3', 'ES256')
    expect(await status(app.token({ header: { kid: undefined } }, ec))).toBe(401)
  })
})

describe('which keys are trusted', () => {
  test.each(['RS256', 'PS256', 'ES256', 'EdDSA'])('%s is taken as it comes', async (algorithm) => {
    await start()
    const key = await makeKey('k2', algorithm)
    app.issuer.keys = [key.jwk]
    expect(await status(app.token({}, key))).toBe(200)
  })

  test.each(['RS384', 'PS512', 'ES384', 'ES512'])('%s is taken only when it is named', async (algorithm) => {
    await start()
    const key = await makeKey('k2', algorithm)
    app.issuer.keys = [key.jwk]
    // No key is left of the set: that is a failure of the issuer.
    expect(await status(app.token({}, key))).toBe(401)
    expect(app.last()).toBe('wrong_algorithm')
    await app.stop()
    app = await oauthApp(({ url }) => ({ issuer: { issuer: url, algorithms: [algorithm] } }))
    app.issuer.keys = [key.jwk]
    expect(await status(app.token({}, key))).toBe(200)
  })

  test.each([
    ['private members', { d: 'AQAB' }],
    ['a symmetric member', { k: 'AQAB' }],
    ['use enc', { use: 'enc' }],
    ['key_ops without verify', { key_ops: ['encrypt'] }],
    ['an exponent of 1', { e: 'AQ' }],
    ['an even exponent', { e: 'AgAA' }],
    ['a short modulus', { n: Buffer.alloc(128, 0xff).toString('base64url') }],
    ['a modulus without end', { n: Buffer.alloc(2000, 0xff).toString('base64url') }],
    ['a modulus that is no number', { n: '!' }],
    ['kty oct', { kty: 'oct', k: 'AAAA' }],
    ['kty unknown', { kty: 'XYZ' }],
    ['an alg of another kind', { alg: 'ES256' }],
    ['an alg that is no string', { alg: 256 }],
    ['a kid that is no string', { kid: 1 }],
  ])('a key with %s is left out, and the others are kept', async (_name, members) => {
    await start()
    const good = await makeKey('k2')
    app.issuer.keys = [{ ...app.key.jwk, ...members }, good.jwk, null as unknown as object]
    expect(await status(app.token({}, good))).toBe(200)
    expect(await status(app.token())).toBe(401)
    expect(app.last()).toBe('unknown_key')
  })

  test('a point that is not on its curve is left out', async () => {
    await start()
    const good = await makeKey('k2')
    const bad = await makeKey('k3', 'ES256')
    app.issuer.keys = [good.jwk, { ...bad.jwk, x: Buffer.alloc(32, 1).toString('base64url') }]
    expect(await status(app.token({}, good))).toBe(200)
    expect(await status(app.token({}, bad))).toBe(401)
  })

  test('keys can be part of the configuration, and a secret takes the place of keys', async () => {
    const key = await makeKey('k7')
    app = await oauthApp(({ url }) => ({ issuer: { issuer: url, jwks: { keys: [key.jwk] } } }))
    expect(await status(app.token({}, key))).toBe(200)
    expect(await status(app.token({}, key))).toBe(200)
    expect(app.issuer.requests).toEqual([])
    await app.stop()

    const secret = 'a-secret-of-the-tests-that-is-long-enough'
    app = await oauthApp(({ url }) => ({ issuer: { issuer: url, secret } }))
    const { SignJWT } = await import('jose')
    const now = Math.floor(app.clock.now() / 1000)
    const token = await new SignJWT({ sub: 'u1', client_id: 'c1', jti: 'j', iat: now, exp: now + 60 })
      .setProtectedHeader({ alg: 'HS256', typ: 'at+jwt' })
      .setIssuer(app.issuer.url)
      .setAudience('https://mcp.example.com/mcp')
      .sign(Buffer.from(secret))
    expect(await status(token)).toBe(200)
    expect(await status(app.token())).toBe(401)
    expect(app.last()).toBe('wrong_algorithm')
  })

  test('a key set can be at a place of its own', async () => {
    app = await oauthApp(({ url }) => ({ issuer: { issuer: url, jwksUri: `${url}/own-keys` } }))
    app.issuer.answer('/own-keys', (_request, response) => void response.end(JSON.stringify({ keys: app.issuer.keys })))
    expect(await status(app.token())).toBe(200)
    expect(app.issuer.requests).toEqual(['/own-keys'])
  })
})
