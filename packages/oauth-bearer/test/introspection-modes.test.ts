import type { IntrospectionOptions } from '@countersign/oauth-bearer'
import { afterEach, describe, expect, test } from '@jest/globals'
import type { Harness } from './harness.js'
import { type IntrospectedApp, introspectedApp, RESOURCE } from './introspected-app.js'
import type { Introspector } from './introspector.js'
import { makeKey } from './test-issuer.js'

let app: Harness
let endpoint: Introspector
let active: IntrospectedApp['active']
let outcome: IntrospectedApp['outcome']
afterEach(() => app.stop())

async function start(introspection: Partial<IntrospectionOptions> = {}) {
  ;({ app, endpoint, active, outcome } = await introspectedApp(introspection))
}

describe('a JWT of an issuer that also introspects', () => {
  const cutKeys = () => app.issuer.answer('/jwks', (_request, response) => void response.writeHead(500).end())

  test("mode 'opaque-only': a JWT is never introspected", async () => {
    await start({ mode: 'opaque-only' })
    cutKeys()
    const token = await app.token()
    endpoint.tokens.set(token, active())
    expect(await outcome(token)).toBe('503 keys')
    expect(endpoint.asked).toHaveLength(0)
  })

  test("mode 'keys-unavailable', the default: only if its keys are unavailable", async () => {
    await start()
    const good = await app.token()
    const bad = await app.token({ claims: { aud: 'https://other.example.com' } })
    endpoint.tokens.set(bad, active())
    expect([await outcome(good), await outcome(bad)]).toEqual(['200 granted', '401 wrong_audience'])
    expect(endpoint.asked).toHaveLength(0)
    await app.stop()

    await start()
    cutKeys()
    const token = await app.token()
    endpoint.tokens.set(token, active())
    const { json } = await app.get(token)
    expect((json.principal as { via: string }).via).toBe('introspection')
    expect(await outcome(await app.token({ claims: { sub: 'u2' } }))).toBe('401 inactive')
  })

  test("mode 'always': a verified JWT must be active, too", async () => {
    await start({ mode: 'always' })
    const token = await app.token()
    endpoint.tokens.set(token, active())
    expect(await outcome(token)).toBe('200 granted')
    endpoint.tokens.set(token, { active: false })
    app.clock.advance(30_000)
    expect(await outcome(token)).toBe('401 inactive')
    const stranger = await app.token({}, await makeKey('k1'))
    endpoint.tokens.set(stranger, active())
    expect(await outcome(stranger)).toBe('401 bad_signature')
    expect(endpoint.asked).toHaveLength(2)
  })

  test("mode 'always': the principal is the JWT's, also if the endpoint says no more than that it is active", async () => {
    await start({ mode: 'always' })
    const token = await app.token({ claims: { scope: 'files:read files:write', department: 'd1' } })
    endpoint.tokens.set(token, { active: true })
    const { status, json } = await app.get(token)
    expect(status).toBe(200)
    expect(json.principal).toMatchObject({
      subject: 'u1',
      clientId: 'c1',
      scopes: ['files:read', 'files:write'],
      claims: { department: 'd1', sub: 'u1', aud: RESOURCE },
      via: 'jwt',
    })
  })

  test.each([
    ['a scope that it does not name', { scope: 'files:read admin' }, { scopes: ['files:read'] }],
    ['all scopes', { scope: '' }, { scopes: [] }],
    ['time', { exp: 1767225700 }, { expiresAt: 1767225700000 }],
    ['nothing by a later expiry', { exp: 9_999_999_999 }, { expiresAt: 1767225900000 }],
    ['nothing by another subject', { sub: 'admin', client_id: 'c9', username: 'x' }, { subject: 'u1', clientId: 'c1' }],
    [
      'nothing by members that are null',
      { scope: null, exp: null, sub: null },
      { scopes: ['files:read', 'files:write'] },
    ],
  ])("mode 'always': the endpoint takes away %s", async (_name, answer, expected) => {
    await start({ mode: 'always' })
    const token = await app.token({ claims: { scope: 'files:read files:write' } })
    endpoint.tokens.set(token, { active: true, ...answer })
    const { status, json } = await app.get(token)
    expect(status).toBe(200)
    expect(json.principal).toMatchObject(expected)
    expect((json.principal as { claims: unknown }).claims).not.toHaveProperty('username')
    // From the cache it is the same.
    expect((await app.get(token)).json.principal).toEqual(json.principal)
    expect(endpoint.asked).toHaveLength(1)
  })

  test.each([
    [{ aud: 'https://other.example.com' }, '401 wrong_audience'],
    [{ iss: 'https://other.example.com' }, '401 wrong_issuer'],
    [{ exp: 1 }, '401 expired'],
    [{ nbf: 9_999_999_999 }, '401 not_yet_valid'],
    [{ cnf: { jkt: 'x' } }, '401 bound_token'],
    [{ token_type: 'DPoP' }, '401 bound_token'],
    [{ token_type: 'JWT', nonce: 'n' }, '200 granted'],
  ])("mode 'always': an active answer with %j is %s", async (answer, expected) => {
    await start({ mode: 'always' })
    const token = await app.token()
    endpoint.tokens.set(token, { active: true, ...answer })
    expect(await outcome(token)).toBe(expected)
  })

  test("mode 'always': a withdrawn key ends a confirmed token", async () => {
    await start({ mode: 'always' })
    const token = await app.token()
    endpoint.tokens.set(token, { active: true })
    expect(await outcome(token)).toBe('200 granted')
    const next = await makeKey('k2')
    app.issuer.keys = [next.jwk]
    const other = await app.token({}, next)
    endpoint.tokens.set(other, { active: true })
    expect([await outcome(other), await outcome(token)]).toEqual(['200 granted', '401 unknown_key'])
  })

  test("mode 'any-failure': whenever it was not verified, and by the same rules", async () => {
    await start({ mode: 'any-failure' })
    const stranger = await app.token({}, await makeKey('k1'))
    endpoint.tokens.set(stranger, active())
    expect(await outcome(stranger)).toBe('200 granted')
    const elsewhere = await app.token({ claims: { aud: 'https://other.example.com' } })
    endpoint.tokens.set(elsewhere, active({ aud: 'https://other.example.com' }))
    expect(await outcome(elsewhere)).toBe('401 wrong_audience')
    expect(await outcome(await app.token())).toBe('200 granted')
    expect(endpoint.asked).toHaveLength(2)
  })
})
