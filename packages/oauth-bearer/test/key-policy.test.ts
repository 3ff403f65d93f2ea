import { afterEach, describe, expect, test } from '@jest/globals'
import { type Harness, oauthApp } from './harness.js'
import { makeKey } from './test-issuer.js'

let app: Harness
afterEach(() => app.stop())

const start = async () => {
  app = await oauthApp()
}
const status = async (token: string | Promise<string>) => (await app.get(await token)).status

describe('[oauth-key-policy] which keys are trusted', () => {
  test.each(['RS256', 'PS256', 'ES256', 'EdDSA'])('%s is accepted by default', async (algorithm) => {
    await start()
    const key = await makeKey('k2', algorithm)
    app.issuer.keys = [key.jwk]
    expect(await status(app.token({}, key))).toBe(200)
  })

  test.each(['RS384', 'PS512', 'ES384', 'ES512'])('%s is accepted only if it is configured', async (algorithm) => {
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
    ['a modulus that is not a number', { n: '!' }],
    ['kty oct', { kty: 'oct', k: 'AAAA' }],
    ['kty unknown', { kty: 'XYZ' }],
    ['an alg of another kind', { alg: 'ES256' }],
    ['an alg that is not a string', { alg: 256 }],
    ['a kid that is not a string', { kid: 1 }],
  ])('a key with %s is left out, and the others are used', async (_name, members) => {
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

  test('keys can be part of the configuration, and a secret replaces keys', async () => {
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

  test('a key set can have its own URL', async () => {
    app = await oauthApp(({ url }) => ({ issuer: { issuer: url, jwksUri: `${url}/own-keys` } }))
    app.issuer.answer('/own-keys', (_request, response) => void response.end(JSON.stringify({ keys: app.issuer.keys })))
    expect(await status(app.token())).toBe(200)
    expect(app.issuer.requests).toEqual(['/own-keys'])
  })
})
