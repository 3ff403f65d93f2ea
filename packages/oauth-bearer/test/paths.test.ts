import { afterEach, describe, expect, test } from '@jest/globals'
import express from 'express'
import { type Harness, oauthApp } from './harness.js'
import { addIntrospection, type Introspector } from './introspector.js'
import { makeKey, signToken, startIssuer, type TestIssuer } from './test-issuer.js'
import { wire } from './wire.js'

const cleanUp: (() => Promise<void>)[] = []
let app: Harness
afterEach(async () => {
  await app.stop()
  for (const stop of cleanUp.splice(0)) await stop()
})

const outcome = async (token: string) => `${(await app.get(token)).status} ${app.last()}`

describe('one token in one place', () => {
  test.each([
    ['two fields', { headers: { authorization: ['Bearer a', 'Bearer a'] } }],
    ['a token in the query', { path: '/?access_token=a' }],
    ['a token in the query, spelt another way', { path: '/?x=1&%61ccess%5ftoken=a' }],
    ['a token in the query beside a good one', { path: '/?access_token=a', withToken: true }],
    ['an empty one in the query', { path: '/?access_token' }],
  ])(
    '%s: 400 invalid_request',
    async (_name, request: { headers?: Record<string, string[]>; path?: string; withToken?: boolean }) => {
      app = await oauthApp()
      const headers: Record<string, string | string[]> = request.withToken
        ? { authorization: `Bearer ${await app.token()}` }
        : (request.headers ?? {})
      const { status, text, headers: answered } = await wire(app.port, { ...request, headers })
      expect([status, app.last(), JSON.parse(text).error]).toEqual([400, 'ambiguous', 'invalid_request'])
      expect(answered['www-authenticate']).toContain('Bearer realm="mcp.example.com", error="invalid_request"')
      expect(answered['cache-control']).toBe('no-store')
    },
  )

  test('a token in a form: 400; the same words in JSON are the app’s own', async () => {
    app = await oauthApp({
      routes: (routes, gate) => {
        routes.use(express.urlencoded(), express.json())
        routes.post('/', gate, (_request, response) => void response.json({}))
      },
    })
    const authorization = `Bearer ${await app.token()}`
    const send = (type: string, body: string) =>
      wire(app.port, { method: 'POST', headers: { authorization, 'content-type': type }, body })
    expect((await send('application/x-www-form-urlencoded', 'access_token=a')).status).toBe(400)
    expect((await send('application/x-www-form-urlencoded', 'a=access_token')).status).toBe(200)
    expect((await send('application/json', '{"access_token":"a"}')).status).toBe(200)
  })

  test.each(['Basic dTpw', 'Digest username="a"', 'DPoP abc', 'Token abc', 'Negotiate abc', 'X y'])(
    'another scheme is 401 without an error: %s',
    async (authorization) => {
      app = await oauthApp()
      const { status, headers, json } = await app.get(authorization)
      expect([status, app.last()]).toEqual([401, 'missing'])
      expect(app.events.at(-1)?.attributes).toEqual({ scheme: authorization.split(' ')[0]?.toLowerCase() })
      expect(headers.get('www-authenticate')).toBe('Bearer realm="mcp.example.com"')
      expect(json).not.toHaveProperty('error')
    },
  )

  test.each(['bearer', 'BEARER', 'Bearer ', 'Bearer   '])('the scheme is case-insensitive: %j', async (scheme) => {
    app = await oauthApp()
    expect((await app.get(`${scheme} ${await app.token()}`)).status).toBe(200)
  })

  test('[oauth-optional] an optional gate lets a request without a token in, and refuses a bad token with 401', async () => {
    app = await oauthApp({
      routes: (routes, gate) =>
        routes.get('/open', gate.optional(), (request, response) => {
          response.json({ who: request.principal?.kind ?? 'nobody' })
        }),
    })
    expect((await app.get(undefined, '/open')).json).toEqual({ who: 'nobody' })
    expect((await app.get(await app.token(), '/open')).json).toEqual({ who: 'oauth-bearer' })
    expect((await app.get('Basic dTpw', '/open')).json).toEqual({ who: 'nobody' })
    for (const bad of ['junk', await app.token({ claims: { exp: 1 } })]) {
      expect((await app.get(bad, '/open')).status).toBe(401)
    }
    expect((await app.get(undefined, '/open?access_token=a')).status).toBe(400)
    const unexpanded = ['$TOKEN', '{{TOKEN}}', '%TOKEN%', 'Bearer $TOKEN', '$TOKEN_TYPE $TOKEN']
    for (const authorization of ['Bearer', 'bearer', 'Bearer a b', ['Bearer a', 'Bearer b'], ...unexpanded]) {
      expect((await wire(app.port, { path: '/open', headers: { authorization } })).status).toBe(400)
    }
  })

  test('no method is exempt', async () => {
    app = await oauthApp()
    for (const method of ['OPTIONS', 'HEAD', 'DELETE']) {
      expect((await wire(app.port, { method })).status).toBe(401)
    }
  })
})

describe('which issuer decides', () => {
  async function second(): Promise<{ issuer: TestIssuer; endpoint: Introspector }> {
    const issuer = await startIssuer(await makeKey('k1'))
    cleanUp.push(issuer.close)
    return { issuer, endpoint: addIntrospection(issuer) }
  }
  const answer = (issuer: TestIssuer) => ({
    active: true,
    iss: issuer.url,
    aud: 'https://mcp.example.com/mcp',
    sub: 'u2',
    exp: 9_999_999_999,
  })
  const introspection = { clientId: 'c', clientSecret: 's' }

  test('[oauth-one-issuer] with JWTs only, another token is refused and no issuer is asked', async () => {
    app = await oauthApp()
    for (const token of ['opaque', 'a.b.c', 'a'.repeat(8000)]) expect(await outcome(token)).toBe('401 malformed_token')
    expect(app.issuer.requests).toEqual([])
  })

  test('[oauth-one-issuer] each issuer verifies with its own keys, and none with those of another', async () => {
    const { issuer: other } = await second()
    const otherKey = await makeKey('k1')
    other.keys = [otherKey.jwk]
    app = await oauthApp(({ url }) => ({ issuer: [url, other.url] }))
    const context = (issuer: string) => ({ issuer, audience: 'https://mcp.example.com/mcp', now: app.clock.now() })
    expect(await outcome(await signToken(app.key, context(app.issuer.url)))).toBe('200 granted')
    expect(await outcome(await signToken(otherKey, context(other.url)))).toBe('200 granted')
    expect(await outcome(await signToken(otherKey, context(app.issuer.url)))).toBe('401 bad_signature')
    expect(await outcome(await signToken(app.key, context(other.url)))).toBe('401 bad_signature')
  })

  test('every token that is not a JWT of another issuer goes to the issuer of opaque tokens', async () => {
    const { issuer: opaque, endpoint } = await second()
    app = await oauthApp(({ url }) => ({ issuer: [url, { issuer: opaque.url, kind: 'opaque', introspection }] }))
    endpoint.tokens.set('opaque', answer(opaque))
    const own = await app.token()
    const elsewhere = await app.token({ claims: { iss: 'https://elsewhere.example.com' } })
    const ofOpaque = await app.token({ claims: { iss: opaque.url } })
    expect(await outcome('opaque')).toBe('200 granted')
    expect(await outcome(own)).toBe('200 granted')
    // Of another issuer, whose tokens this one must not learn of.
    expect(await outcome(elsewhere)).toBe('401 wrong_issuer')
    expect(await outcome(ofOpaque)).toBe('401 inactive')
    expect(endpoint.asked.map(({ form }) => form.get('token'))).toEqual(['opaque', ofOpaque])
  })

  test('[oauth-one-issuer] a bad JWT of a JWT issuer is not sent to the other issuer', async () => {
    const { issuer: opaque, endpoint } = await second()
    app = await oauthApp(({ url }) => ({ issuer: [url, { issuer: opaque.url, kind: 'opaque', introspection }] }))
    expect(await outcome(await app.token({}, await makeKey('k1')))).toBe('401 bad_signature')
    expect(endpoint.asked).toEqual([])
  })

  test('[oauth-one-issuer] with a prefix each, an opaque token is sent to one issuer only', async () => {
    const [one, two] = [await second(), await second()]
    app = await oauthApp({
      issuer: [
        { issuer: one.issuer.url, introspection, tokenPrefix: 'one_' },
        { issuer: two.issuer.url, introspection, tokenPrefix: 'two_' },
      ],
    })
    one.endpoint.tokens.set('one_a', answer(one.issuer))
    two.endpoint.tokens.set('two_a', answer(two.issuer))
    expect(await outcome('one_a')).toBe('200 granted')
    expect(await outcome('two_a')).toBe('200 granted')
    expect(await outcome('three_a')).toBe('401 malformed_token')
    expect(one.endpoint.asked.map(({ form }) => form.get('token'))).toEqual(['one_a'])
    expect(two.endpoint.asked.map(({ form }) => form.get('token'))).toEqual(['two_a'])
  })
})
