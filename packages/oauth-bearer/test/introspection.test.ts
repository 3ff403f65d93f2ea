import { generateKeyPairSync } from 'node:crypto'
import type { ServerResponse } from 'node:http'
import type { IntrospectionOptions } from '@countersign/oauth-bearer'
import { afterEach, describe, expect, test } from '@jest/globals'
import { jwtVerify } from 'jose'
import type { Harness } from './harness.js'
import { type IntrospectedApp, introspectedApp, RESOURCE, SECRET } from './introspected-app.js'
import type { Introspector } from './introspector.js'

let app: Harness
let endpoint: Introspector
let active: IntrospectedApp['active']
let outcome: IntrospectedApp['outcome']
afterEach(() => app.stop())

async function start(introspection: Partial<IntrospectionOptions> = {}) {
  ;({ app, endpoint, active, outcome } = await introspectedApp(introspection))
}

const seconds = () => Math.floor(app.clock.now() / 1000)

describe('what introspection says', () => {
  test('an active token is granted, with its principal', async () => {
    await start()
    endpoint.tokens.set('opaque-1', active())
    const { status, json } = await app.get('opaque-1')
    expect(status).toBe(200)
    expect(json.principal).toEqual({
      kind: 'oauth-bearer',
      id: `${app.issuer.url}|u1`,
      issuer: app.issuer.url,
      subject: 'u1',
      clientId: 'c1',
      scopes: ['files:read', 'files:write'],
      expiresAt: 1767225900000,
      claims: {
        iss: app.issuer.url,
        aud: RESOURCE,
        sub: 'u1',
        client_id: 'c1',
        scope: 'files:read files:write',
        exp: 1767225900,
        token_type: 'Bearer',
      },
      via: 'introspection',
    })
  })

  test('[oauth-dotted-opaque] an opaque token with two dots is accepted by introspection', async () => {
    await start()
    for (const token of ['a.b.c', 'v4.public.AAAA', 'eyJhbGciOiJub25lIn0.e30.', '1.2.3.4', '...']) {
      endpoint.tokens.set(token, active())
      expect(await outcome(token)).toBe('200 granted')
    }
  })

  test.each([
    [{ active: false }, '401 inactive'],
    [{ aud: 'https://other.example.com' }, '401 wrong_audience'],
    [{ aud: undefined }, '401 missing_claim'],
    [{ iss: 'https://other.example.com' }, '401 wrong_issuer'],
    [{ iss: undefined }, '200 granted'],
    [{ exp: 1 }, '401 expired'],
    [{ exp: undefined }, '200 granted'],
    [{ nbf: 9_999_999_999 }, '401 not_yet_valid'],
    [{ sub: undefined }, '200 granted'],
    [{ sub: undefined, client_id: undefined }, '401 missing_claim'],
    [{ cnf: { jkt: 'x' } }, '401 bound_token'],
    [{ token_type: 'DPoP' }, '401 bound_token'],
    [{ token_type: 'bearer' }, '200 granted'],
    [{ token_type: undefined }, '200 granted'],
    [{ token_type: 'N_A' }, '401 wrong_type'],
    [{ typ: 'Refresh' }, '401 wrong_type'],
    [{ token_use: 'id' }, '401 wrong_type'],
    [{ token_use: 'refresh_token' }, '401 wrong_type'],
    [{ token_use: 'access_token' }, '200 granted'],
    [
      { token_use: null, token_type: null, nonce: null, cnf: null, sub: null, client_id: 'c1', nbf: null },
      '200 granted',
    ],
  ])('the same rules apply to what comes back: %j is %s', async (rest, expected) => {
    await start()
    endpoint.tokens.set('opaque', active(rest))
    expect(await outcome('opaque')).toBe(expected)
  })

  test('a token without an audience is accepted only with allowMissingAudience', async () => {
    await start({ allowMissingAudience: true })
    endpoint.tokens.set('opaque', active({ aud: undefined }))
    endpoint.tokens.set('other', active({ aud: 'https://other.example.com' }))
    expect(await outcome('opaque')).toBe('200 granted')
    expect(await outcome('other')).toBe('401 wrong_audience')
  })
})

describe('how the endpoint is asked', () => {
  test('once for concurrent requests with one token', async () => {
    await start()
    endpoint.tokens.set('opaque', active())
    const answers = await Promise.all(Array.from({ length: 30 }, () => app.get('opaque')))
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]))
    expect(endpoint.asked).toHaveLength(1)
  })

  test('at most maxConcurrent times at once: beyond that it is 503, without a queue', async () => {
    await start({ maxConcurrent: 2 })
    const open: ServerResponse[] = []
    const hold = (response: ServerResponse) => void open.push(response)
    for (const name of ['a', 'b', 'c']) endpoint.tokens.set(name, hold)
    const first = [app.get('a'), app.get('b')]
    while (open.length < 2) await new Promise((resolve) => setTimeout(resolve, 5))
    expect(await outcome('c')).toBe('503 introspection')
    for (const response of open) response.end(JSON.stringify(active()))
    expect((await Promise.all(first)).map(({ status }) => status)).toEqual([200, 200])
    endpoint.tokens.set('c', active())
    expect(await outcome('c')).toBe('200 granted')
  })

  test('an active answer is cached for 30 s, and never past the expiry', async () => {
    await start()
    endpoint.tokens.set('opaque', active())
    endpoint.tokens.set('short', active({ exp: seconds() + 10 }))
    expect([await outcome('opaque'), await outcome('short')]).toEqual(['200 granted', '200 granted'])
    app.clock.advance(29_999)
    expect(await outcome('opaque')).toBe('200 granted')
    expect(endpoint.asked).toHaveLength(2)
    expect(await outcome('short')).toBe('401 expired')
    endpoint.tokens.set('opaque', { active: false })
    app.clock.advance(1)
    expect(await outcome('opaque')).toBe('401 inactive')
  })

  test('a clock that is set back prolongs no answer', async () => {
    await start()
    endpoint.tokens.set('opaque', active())
    expect([await outcome('opaque'), await outcome('junk')]).toEqual(['200 granted', '401 inactive'])
    endpoint.tokens.set('junk', active())
    endpoint.tokens.set('opaque', { active: false })
    app.clock.jump(-3_600_000)
    app.clock.advance(30_000)
    expect([await outcome('opaque'), await outcome('junk')]).toEqual(['401 inactive', '200 granted'])
  })

  test('an inactive answer is cached for 10 s', async () => {
    await start()
    expect(await outcome('opaque')).toBe('401 inactive')
    endpoint.tokens.set('opaque', active())
    app.clock.advance(9999)
    expect(await outcome('opaque')).toBe('401 inactive')
    expect(endpoint.asked).toHaveLength(1)
    app.clock.advance(1)
    expect(await outcome('opaque')).toBe('200 granted')
  })

  test('with client_secret_basic id and secret are form-encoded; the form holds token and hint', async () => {
    await start()
    await app.get('opaque')
    const [asked] = endpoint.asked
    const [scheme, value = ''] = `${asked?.headers.authorization}`.split(' ')
    expect(scheme).toBe('Basic')
    expect(Buffer.from(value, 'base64').toString()).toBe('mcp+server%3A1:the+secret%3A+of+the+resource+%26+more')
    expect(Object.fromEntries(asked?.form ?? [])).toEqual({ token: 'opaque', token_type_hint: 'access_token' })
    expect(asked?.headers['content-type']).toBe('application/x-www-form-urlencoded')
  })

  test('with client_secret_post they are in the form', async () => {
    await start({ authMethod: 'client_secret_post' })
    await app.get('opaque')
    expect(Object.fromEntries(endpoint.asked[0]?.form ?? [])).toEqual({
      token: 'opaque',
      token_type_hint: 'access_token',
      client_id: 'mcp server:1',
      client_secret: SECRET,
    })
    expect(endpoint.asked[0]?.headers.authorization).toBeUndefined()
  })

  test('with private_key_jwt each question has its own assertion', async () => {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    await start({ clientSecret: undefined, privateKey, keyId: 'me-1', signingAlgorithm: 'ES256' })
    await app.get('opaque-1')
    await app.get('opaque-2')
    const assertions = endpoint.asked.map(({ form }) => form.get('client_assertion') ?? '')
    const verified = await Promise.all(
      assertions.map((assertion) =>
        jwtVerify(assertion, publicKey, {
          issuer: 'mcp server:1',
          subject: 'mcp server:1',
          audience: app.issuer.url,
          currentDate: new Date(app.clock.now()),
          requiredClaims: ['jti', 'exp', 'iat'],
        }),
      ),
    )
    expect(verified[0]?.protectedHeader).toEqual({ alg: 'ES256', kid: 'me-1' })
    expect(verified[0]?.payload.exp).toBe(seconds() + 60)
    expect(new Set(verified.map(({ payload }) => payload.jti)).size).toBe(2)
    expect(endpoint.asked[0]?.form.get('client_assertion_type')).toBe(
      'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
    )
  })

  test('the endpoint can be configured, and then no metadata is read', async () => {
    ;({ app, endpoint, active, outcome } = await introspectedApp({ clientId: 'c', clientSecret: 's' }, '/own'))
    endpoint.tokens.set('opaque', active())
    expect(await outcome('opaque')).toBe('200 granted')
    expect(app.issuer.requests).toEqual(['/own'])
  })
})
