import { afterEach, describe, expect, test } from '@jest/globals'
import { type Harness, type HarnessOptions, oauthApp } from './harness.js'
import { addIntrospection, type Introspector } from './introspector.js'

let app: Harness
let endpoint: Introspector
afterEach(() => app.stop())

const OTHER = 'https://other.example.com'

async function start(options: object = {}, rest: HarnessOptions = {}) {
  app = await oauthApp((issuer) => {
    endpoint = addIntrospection(issuer)
    const introspection = { clientId: 'c', clientSecret: 's' }
    return { issuer: { issuer: issuer.url, kind: 'opaque', introspection, ...options }, ...rest }
  })
}
const outcome = async (token: string) => `${(await app.get(token)).status} ${app.last()}`
const seconds = () => Math.floor(app.clock.now() / 1000)
const active = (iss: string | undefined) => ({
  active: true,
  iss,
  aud: 'https://mcp.example.com/mcp',
  sub: 'u1',
  exp: seconds() + 300,
})

describe('a JWT that names another issuer', () => {
  test.each([OTHER, `${OTHER}/`, 'http://10.0.0.1', 'urn:other:issuer'])(
    'of %s is not sent to the introspection endpoint, which would learn of it',
    async (iss) => {
      await start()
      const token = await app.token({ claims: { iss } })
      endpoint.tokens.set(token, active(app.issuer.url))
      expect(await outcome(token)).toBe('401 wrong_issuer')
      expect(endpoint.asked).toHaveLength(0)
    },
  )

  test.each([
    ['its own name', (own: string) => own],
    ['no name', () => undefined],
    ['what is no URL', () => 'internal'],
  ])('but one with %s is', async (_name, iss) => {
    await start()
    const token = await app.token({ claims: { iss: iss(app.issuer.url) } })
    endpoint.tokens.set(token, active(app.issuer.url))
    expect(await outcome(token)).toBe('200 granted')
  })

  test('is sent there if the issuer accepts that one, and the principal is that issuer’s', async () => {
    await start({ acceptsIssuers: [OTHER] })
    const token = await app.token({ claims: { iss: OTHER } })
    endpoint.tokens.set(token, active(OTHER))
    const { status, json } = await app.get(token)
    expect([status, json.principal]).toMatchObject([200, { id: `${OTHER}|u1`, issuer: OTHER }])
    const third = await app.token({ claims: { iss: 'https://third.example.com' } })
    expect(await outcome(third)).toBe('401 wrong_issuer')
    endpoint.tokens.set('opaque', active('https://third.example.com'))
    expect(await outcome('opaque')).toBe('401 wrong_issuer')
    expect(endpoint.asked).toHaveLength(2)
  })

  test('is handed to a verify function, as every token is', async () => {
    const seen: string[] = []
    await start({
      introspection: undefined,
      verify: (token: string) => {
        seen.push(token)
        return { subject: 'u1' }
      },
    })
    const token = await app.token({ claims: { iss: OTHER } })
    expect(await outcome(token)).toBe('200 granted')
    expect(seen).toEqual([token])
  })
})
