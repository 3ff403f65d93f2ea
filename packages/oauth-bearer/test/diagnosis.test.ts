import { afterEach, describe, expect, test } from '@jest/globals'
import { type Harness, type HarnessOptions, oauthApp, RESOURCE } from './harness.js'
import { addIntrospection } from './introspector.js'

let app: Harness
afterEach(() => app.stop())

/** The attributes of the refusal of a token, and the answer to it. */
async function refused(token: string) {
  const answer = await app.get(token)
  expect(answer.status).toBeGreaterThanOrEqual(400)
  const { reason, attributes } = app.events.at(-1) ?? {}
  return { reason, attributes: attributes ?? {}, answer }
}

const encoded = (text: string) => Buffer.from(text).toString('base64url')

describe('the event of a refused token says', () => {
  const start = async (options: HarnessOptions = {}) => {
    app = await oauthApp(options)
    return app
  }

  test('for whom the token is, and who we are', async () => {
    const { token } = await start()
    const other = 'https://other.example.com/mcp'
    expect(await refused(await token({ claims: { aud: other } }))).toMatchObject({
      reason: 'wrong_audience',
      attributes: { issuer: app.issuer.url, audiences: other, expected_audiences: RESOURCE },
    })
    expect((await refused(await token({ claims: { aud: ['a', 'b'] } }))).attributes).toMatchObject({
      audiences: 'a b',
      expected_audiences: RESOURCE,
    })
  })

  test('which client it was issued to, and which are accepted', async () => {
    app = await oauthApp(({ url }) => ({ issuer: { issuer: url, clientIds: ['web', 'app'] } }))
    expect(await refused(await app.token({ claims: { client_id: 'script' } }))).toMatchObject({
      reason: 'wrong_audience',
      attributes: { client_id: 'script', expected_client_ids: 'web app' },
    })
  })

  test('how many audiences it has, where they do not fit, within 256 characters', async () => {
    const { token } = await start()
    const aud = Array.from({ length: 100 }, (_, index) => `https://service-${index}.example.com`)
    const { attributes } = await refused(await token({ claims: { aud } }))
    expect(attributes.audiences).toMatch(/^https:\/\/service-0\.example\.com https:.* …\+\d+$/)
    expect(String(attributes.audiences).length).toBeLessThanOrEqual(256)
  })

  test('by how many seconds it has expired, from the cache too, and by how many it is not yet valid', async () => {
    const { token, clock } = await start()
    const now = clock.now() / 1000
    const late = { reason: 'expired', attributes: { late_by_seconds: 100, tolerance_seconds: 5 } }
    expect(await refused(await token({ claims: { exp: now - 100 } }))).toMatchObject(late)
    expect(await refused(await token({ claims: { nbf: now + 30 } }))).toMatchObject({
      reason: 'not_yet_valid',
      attributes: { early_by_seconds: 30, tolerance_seconds: 5 },
    })
    const cached = await token({ claims: { exp: now + 50 } })
    expect((await app.get(cached)).status).toBe(200)
    clock.advance(150_000)
    expect(await refused(cached)).toMatchObject(late)
  })

  test('the key that an unknown one names, cleaned and cut, and the header parameter that would name another', async () => {
    const { token } = await start()
    const kid = `k\u202e9\n${'x'.repeat(1000)}`
    const { reason, attributes, answer } = await refused(await token({ header: { kid } }))
    expect([reason, attributes.key_id]).toEqual(['unknown_key', `k9${'x'.repeat(252)}`])
    expect(answer.text + JSON.stringify([...answer.headers])).not.toContain('xxxx')
    expect((await refused(await token({ header: { jwk: app.key.jwk } }))).attributes).toMatchObject({
      key_id: 'k1',
      part: 'jwk',
    })
  })

  test('which issuer, algorithm, type or claim was seen, and which are expected', async () => {
    const { token } = await start()
    const { url } = app.issuer
    expect(await refused(await token({ claims: { iss: 'https://other.example.com' } }))).toMatchObject({
      reason: 'wrong_issuer',
      attributes: { token_issuer: 'https://other.example.com', expected_issuers: url },
    })
    const none = `${encoded('{"alg":"none","typ":"at+jwt"}')}.${encoded(JSON.stringify({ iss: url }))}.`
    const { reason, attributes } = await refused(none)
    expect([reason, attributes.algorithm]).toEqual(['wrong_algorithm', 'none'])
    expect(attributes.expected_algorithms).toContain('RS256')
    expect(await refused(await token({ header: { typ: 'JWT' } }))).toMatchObject({
      reason: 'wrong_type',
      attributes: { token_type: 'JWT', expected_types: 'at+jwt' },
    })
    expect(await refused(await token({ claims: { jti: undefined } }))).toMatchObject({
      reason: 'missing_claim',
      attributes: { claim: 'jti' },
    })
  })

  test('which part is malformed', async () => {
    const { token } = await start({ maxTokenBytes: 4096 })
    const [header = '', payload = '', signature = ''] = (await token()).split('.')
    const parts: Record<string, string> = {
      segments: 'an-opaque-token',
      header: `${encoded('{"typ":"at+jwt"}')}.${payload}.${signature}`,
      payload: `${header}.${encoded('[]')}.${signature}`,
      signature: `${header}.${payload}.${signature}~`,
    }
    for (const [part, malformed] of Object.entries(parts)) {
      expect(await refused(malformed)).toMatchObject({ reason: 'malformed_token', attributes: { part } })
    }
    expect(await refused('Bearer not a token68')).toMatchObject({ reason: 'malformed', attributes: { part: 'token' } })
    expect((await refused('Bearer ')).attributes).toEqual({ part: 'token' })
    expect(await refused('$TOKEN is-not-set')).toMatchObject({ reason: 'malformed', attributes: { part: 'scheme' } })
    expect(await refused(`Bearer ${'x'.repeat(4097)}`)).toMatchObject({
      reason: 'malformed',
      attributes: { part: 'token', limit_bytes: 4096 },
    })
  })

  test('the same of an answer of introspection', async () => {
    app = await oauthApp((issuer, clock) => {
      const { tokens } = addIntrospection(issuer)
      const active = { active: true, sub: 'u1', aud: RESOURCE }
      tokens.set('late', { ...active, exp: clock.now() / 1000 - 60 })
      tokens.set('elsewhere', { ...active, aud: ['other'], exp: clock.now() / 1000 + 60 })
      return { issuer: { issuer: issuer.url, introspection: { clientId: 'c', clientSecret: 'x'.repeat(40) } } }
    })
    expect((await refused('late')).attributes).toMatchObject({ late_by_seconds: 60, tolerance_seconds: 5 })
    expect((await refused('elsewhere')).attributes).toMatchObject({ audiences: 'other', expected_audiences: RESOURCE })
  })
})
