import { UnavailableError } from '@countersign/core'
import type { IssuerOptions, VerifyFunction } from '@countersign/oauth-bearer'
import { afterEach, describe, expect, test } from '@jest/globals'
import { type RunningServer, serve } from '../../../test/support/http-server.js'
import { type Harness, oauthApp } from './harness.js'

let app: Harness
let endpoint: RunningServer | undefined
afterEach(async () => {
  await app.stop()
  await endpoint?.close()
  endpoint = undefined
})

const start = async (verify: VerifyFunction, rest: Partial<IssuerOptions> = {}) => {
  app = await oauthApp(({ url }) => ({ issuer: { issuer: url, verify, ...rest } }))
}
const outcome = async (token: string) => `${(await app.get(token)).status} ${app.last()}`

describe('an internal verification endpoint', () => {
  test('[oauth-verify-endpoint] { token } is posted, and { active, user_id, account_id } becomes the principal', async () => {
    const asked: unknown[] = []
    let mode: 'up' | 'down' | 'garbage' = 'up'
    endpoint = await serve(async (request, response) => {
      const chunks: Buffer[] = []
      for await (const chunk of request) chunks.push(chunk as Buffer)
      const { token } = JSON.parse(Buffer.concat(chunks).toString())
      asked.push({ token, key: request.headers['x-internal-key'] })
      if (mode === 'down') return void response.writeHead(502).end()
      if (mode === 'garbage') return void response.end('<html>')
      const known = token === 'mcp_good'
      response.end(JSON.stringify(known ? { active: true, user_id: 'u7', account_id: 'a9' } : { active: false }))
    })
    const { verifyAtEndpoint } = await import('./recipes/internal-endpoint.js')
    await start(verifyAtEndpoint(`${endpoint.url}/internal/verify`, 'internal-key'))

    const { status, json } = await app.get('mcp_good')
    expect(status).toBe(200)
    expect(json.principal).toEqual({
      kind: 'oauth-bearer',
      id: `${app.issuer.url}|u7`,
      issuer: app.issuer.url,
      subject: 'u7',
      scopes: [],
      claims: { accountId: 'a9' },
      via: 'verify',
    })
    expect(asked).toEqual([{ token: 'mcp_good', key: 'internal-key' }])
    expect(await outcome('mcp_bad')).toBe('401 inactive')
    mode = 'down'
    expect(await outcome('mcp_good')).toBe('503 verifier')
    mode = 'garbage'
    expect(await outcome('mcp_good')).toBe('503 verifier')
    mode = 'up'
    expect(await outcome('mcp_good')).toBe('200 granted')
    await endpoint.close()
    endpoint = undefined
    expect(await outcome('mcp_good')).toBe('503 verifier')
  })
})

describe('a verify function', () => {
  test('gets the token, the scheme, the request and a signal', async () => {
    const seen: unknown[] = []
    await start((token, { signal, scheme, req }) => {
      seen.push([token, scheme, req?.path, signal.aborted])
      return { subject: 'u1', clientId: 'c1', scopes: ['a'], claims: { plan: 'pro' } }
    })
    const { json } = await app.get('opaque', '/somewhere')
    expect(seen).toEqual([['opaque', 'bearer', '/somewhere', false]])
    expect(json.principal).toMatchObject({ subject: 'u1', clientId: 'c1', scopes: ['a'], claims: { plan: 'pro' } })
  })

  test.each([
    ['null', () => null, '401 inactive'],
    ['a promise of null', async () => null, '401 inactive'],
    ['a client without a subject', () => ({ clientId: 'c1' }), '200 granted'],
    ['what is bound to a key', () => ({ subject: 'u1', claims: { cnf: {} } }), '401 bound_token'],
    ['what has expired', () => ({ subject: 'u1', expiresAt: 1_500_000_000_000 }), '401 expired'],
    ['seconds in place of milliseconds', () => ({ subject: 'u1', expiresAt: 1_900_000_000 }), '500 internal_error'],
    ['undefined', () => undefined as unknown as null, '500 internal_error'],
    ['true', () => true as unknown as null, '500 internal_error'],
    ['nobody', () => ({}), '500 internal_error'],
    ['an empty subject', () => ({ subject: '' }), '500 internal_error'],
    ['scopes as a text', () => ({ subject: 'u1', scopes: 'a b' as unknown as string[] }), '500 internal_error'],
    ['a rejection', () => Promise.reject(new Error('down')), '503 verifier'],
    ['a failed fetch', () => Promise.reject(new TypeError('fetch failed')), '503 verifier'],
    ['a garbled answer', () => JSON.parse('<html>'), '503 verifier'],
    ['a bug', () => (undefined as unknown as { subject: string }).subject as never, '500 internal_error'],
  ])('returns %s', async (_name, verify: VerifyFunction, expected) => {
    await start(verify)
    expect(await outcome('opaque')).toBe(expected)
  })

  test('throws UnavailableError: 503 with its Retry-After', async () => {
    await start(() => {
      throw new UnavailableError('verifier', 'down', { retryAfterSeconds: 7 })
    })
    const { status, headers } = await app.get('opaque')
    expect([status, app.last(), headers.get('retry-after')]).toEqual([503, 'verifier', '7'])
    expect(headers.get('www-authenticate')).toBeNull()
  })

  test('that takes too long is aborted, and the answer is 503', async () => {
    let aborted = false
    await start(
      (_token, { signal }) =>
        new Promise(() => {
          signal.addEventListener('abort', () => {
            aborted = true
          })
        }),
      { verifyTimeoutMs: 50 },
    )
    expect(await outcome('opaque')).toBe('503 verifier')
    expect(aborted).toBe(true)
  })

  test('is called each time, unless its answer has expiresAt: then it is cached for 30 s', async () => {
    let asked = 0
    await start((token) => {
      asked += 1
      return token === 'kept' ? { subject: 'u1', expiresAt: app.clock.now() + 60_000 } : { subject: 'u1' }
    })
    for (let round = 0; round < 3; round += 1) expect(await outcome('each-time')).toBe('200 granted')
    expect(asked).toBe(3)
    for (let round = 0; round < 3; round += 1) expect(await outcome('kept')).toBe('200 granted')
    expect(asked).toBe(4)
    app.clock.advance(30_000)
    expect(await outcome('kept')).toBe('200 granted')
    expect(asked).toBe(5)
  })

  test('works beside JWTs for a mixed issuer', async () => {
    await start(() => ({ subject: 'opaque-user' }), { kind: 'mixed' })
    expect((await app.get(await app.token())).json.principal).toMatchObject({ via: 'jwt' })
    expect((await app.get('opaque')).json.principal).toMatchObject({ via: 'verify' })
    expect(await outcome(await app.token({ claims: { exp: 1 } }))).toBe('401 expired')
  })
})

describe('the legacy scheme', () => {
  const OLD = 'an-old-token-of-the-reporting-job'
  const NEWER = 'a-newer-token-of-the-reporting-job'
  const legacy = {
    tokens: { reports: [OLD, NEWER], backup: 'the-old-token-of-the-backup' },
    scopes: ['files:read'],
    until: '2026-01-01T01:00:00Z',
  }

  test('accepts its own tokens until its end, and counts who still uses one', async () => {
    app = await oauthApp({ legacy })
    const { status, json } = await app.get(`Token ${OLD}`)
    expect(status).toBe(200)
    expect(json.principal).toEqual({
      kind: 'oauth-bearer',
      id: 'legacy|reports',
      issuer: 'legacy',
      subject: 'reports',
      scopes: ['files:read'],
      claims: {},
      via: 'legacy',
    })
    expect(await outcome(`token ${NEWER}`)).toBe('200 granted')
    expect((await app.get()).headers.get('www-authenticate')).toBe(
      'Bearer realm="mcp.example.com", Token realm="mcp.example.com"',
    )
    app.clock.advance(3_600_000)
    expect(await outcome(`Token ${OLD}`)).toBe('401 legacy_refused')
    expect(app.events.at(-1)?.principal).toEqual({ kind: 'oauth-bearer', id: 'legacy|reports' })
    expect((await app.get()).headers.get('www-authenticate')).toBe('Bearer realm="mcp.example.com"')
    expect(app.gate.legacyUsage()).toEqual([
      { caller: 'reports', accepted: 2, refused: 1, lastSeenAt: Date.UTC(2026, 0, 1, 1) },
    ])
  })

  test('and OAuth do not accept each other’s tokens', async () => {
    app = await oauthApp({ legacy })
    const oauth = await app.token()
    expect(await outcome(`Token ${oauth}`)).toBe('401 legacy_refused')
    expect(await outcome(`Bearer ${OLD}`)).toBe('401 malformed_token')
    expect(await outcome(`Token ${OLD}x`)).toBe('401 legacy_refused')
    expect(await outcome(`Token ${OLD.slice(0, -1)}`)).toBe('401 legacy_refused')
    // A refused token of OAuth is not tried as another one, nor passed on as anonymous.
    expect(await outcome(await app.token({ claims: { exp: 1 } }))).toBe('401 expired')
  })

  test('can have another name and a verifier of its own', async () => {
    app = await oauthApp({
      legacy: {
        scheme: 'ApiKey',
        until: '2026-06-01T00:00:00+02:00',
        verify: (token, { scheme }) => (token === OLD && scheme === 'apikey' ? { subject: 'reports' } : null),
      },
    })
    expect(await outcome(`ApiKey ${OLD}`)).toBe('200 granted')
    expect(await outcome(`ApiKey ${NEWER}`)).toBe('401 legacy_refused')
    expect(await outcome(`Token ${OLD}`)).toBe('401 missing')
  })

  test('obeys the scopes that an operation needs', async () => {
    app = await oauthApp({
      legacy,
      routes: (routes, gate) => routes.get('/write', gate.scopes('files:write'), (_q, response) => void response.end()),
    })
    expect((await app.get(`Token ${OLD}`, '/write')).status).toBe(403)
  })
})
