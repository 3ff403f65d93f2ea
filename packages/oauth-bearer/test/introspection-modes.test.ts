import type { IntrospectionOptions } from '@countersign/oauth-bearer'
import { afterEach, describe, expect, test } from '@jest/globals'
import type { Harness } from './harness.js'
import { type IntrospectedApp, introspectedApp } from './introspected-app.js'
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
