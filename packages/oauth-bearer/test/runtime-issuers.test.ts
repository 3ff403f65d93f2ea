import { type IssuerOptions, type RequireOAuthBearerOptions, requireOAuthBearer } from '@countersign/oauth-bearer'
import { explainToken } from '@countersign/oauth-bearer/explain'
import { entra } from '@countersign/oauth-bearer/presets'
import { afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals'
import { type Harness, oauthApp, RESOURCE } from './harness.js'
import { addIntrospection } from './introspector.js'
import { type IssuerKey, makeKey, signToken, startIssuer, type TestIssuer, type TokenParts } from './test-issuer.js'

const SECOND = 1000
const MINUTE = 60 * SECOND

let app: Harness
let tenants: Map<string, IssuerOptions>
let a: TestIssuer
let b: TestIssuer
let keyA: IssuerKey
let keyB: IssuerKey
/** What the app's function was asked for. */
let asked: string[]

beforeAll(async () => {
  ;[keyA, keyB] = await Promise.all([makeKey('k1', 'ES256'), makeKey('k1', 'ES256')])
})
beforeEach(async () => {
  ;[a, b] = await Promise.all([startIssuer(keyA), startIssuer(keyB)])
  tenants = new Map([
    [a.url, { issuer: a.url }],
    [b.url, { issuer: b.url }],
  ])
  asked = []
})
afterEach(async () => {
  await Promise.all([app.stop(), a.close(), b.close()])
})

const lookUp = (iss: string) => {
  asked.push(iss)
  return tenants.get(iss)
}
const start = async (options: Partial<RequireOAuthBearerOptions> = {}) => {
  app = await oauthApp({ issuer: undefined, issuers: lookUp, ...options })
}
const tokenOf = (issuer: string, key: IssuerKey, parts: TokenParts = {}) => {
  const now = app.clock.now()
  const claims = { exp: Math.floor(now / 1000) + 86_400, ...parts.claims }
  return signToken(key, { issuer, audience: RESOURCE, now }, { ...parts, claims })
}
const ofA = (parts?: TokenParts) => tokenOf(a.url, keyA, parts)
const ofB = (parts?: TokenParts) => tokenOf(b.url, keyB, parts)
const outcome = async (token: string | Promise<string>) => {
  const { status } = await app.get(await token)
  return `${status} ${app.last()}`
}

describe('issuers that the app finds at run time', () => {
  test('the tokens of each are verified with its own keys, and the app is asked once in 30 s', async () => {
    await start()
    for (let round = 0; round < 3; round += 1) {
      expect([await outcome(ofA()), await outcome(ofB())]).toEqual(['200 granted', '200 granted'])
    }
    expect(await outcome(tokenOf(a.url, keyB))).toBe('401 bad_signature')
    expect(asked).toEqual([a.url, b.url])
    app.clock.advance(30 * SECOND)
    expect(await outcome(ofA())).toBe('200 granted')
    expect(asked).toEqual([a.url, b.url, a.url])
    // Its keys are as fresh as before.
    expect(a.fetches()).toBe(2)
  })

  test('a name that the app does not know is 401, and nobody is asked at the place that the token names', async () => {
    const stranger = await startIssuer(keyA)
    await start()
    expect(await outcome(tokenOf(stranger.url, keyA))).toBe('401 wrong_issuer')
    expect(await outcome(tokenOf(`${a.url}/`, keyA))).toBe('401 wrong_issuer')
    expect(asked).toEqual([stranger.url, `${a.url}/`])
    expect(stranger.requests).toEqual([])
    await stranger.close()
    // No answer is remembered for it: the tenant may be new.
    tenants.set('urn:new', { issuer: 'urn:new', jwks: { keys: [keyA.jwk] } })
    expect(await outcome(tokenOf('urn:new', keyA))).toBe('200 granted')
  })

  test.each([
    ['nearly its name', () => ({ issuer: `${a.url}/` })],
    ['another issuer', () => ({ issuer: 'https://auth.example.com' })],
    ['null', () => null],
  ])('options of %s count as none', async (_name, find) => {
    await start({ issuers: find as never })
    expect(await outcome(ofA())).toBe('401 wrong_issuer')
    expect(a.requests).toEqual([])
  })

  test('a text that is no name of an issuer is not looked up, and neither are names of the configuration', async () => {
    await start({ issuer: { issuer: b.url, verify: () => null } })
    for (const iss of ['', 'a b', 'é', 'a'.repeat(1025), 'legacy', 5, ['x'], null]) {
      expect(await outcome(tokenOf(a.url, keyA, { claims: { iss } }))).toBe('401 inactive')
    }
    expect(await outcome(ofB())).toBe('401 inactive')
    expect(asked).toEqual([])
  })

  test('an issuer that the app withdraws is refused within 30 s, its cached tokens included', async () => {
    await start()
    const token = await ofA()
    expect(await outcome(token)).toBe('200 granted')
    tenants.delete(a.url)
    expect(await outcome(token)).toBe('200 granted')
    app.clock.advance(30 * SECOND)
    expect(await outcome(token)).toBe('401 wrong_issuer')
    tenants.set(a.url, { issuer: a.url })
    expect(await outcome(token)).toBe('200 granted')
  })

  test('an outage of one is none of the others', async () => {
    await start()
    a.answer('/jwks', (_request, response) => void response.writeHead(500).end())
    for (let round = 0; round < 5; round += 1) {
      expect([await outcome(ofA()), await outcome(ofB())]).toEqual(['503 keys', '200 granted'])
    }
    expect([a.fetches(), b.fetches()]).toEqual([1, 1])
  })

  test('new options for the same issuer count after 30 s, and its keys are kept through an outage', async () => {
    const audience = { now: RESOURCE }
    // New functions each time.
    await start({
      issuers: (iss) => (iss === a.url ? { issuer: iss, checkAudience: ({ aud }) => aud === audience.now } : undefined),
    })
    expect(await outcome(ofA())).toBe('200 granted')
    a.answer('/jwks', (_request, response) => response.destroy())
    audience.now = 'https://other.example.com'
    app.clock.advance(MINUTE)
    expect(await outcome(ofA())).toBe('401 wrong_audience')
    expect(a.fetches()).toBe(1)
    // Other keys are other keys.
    tenants.set(b.url, { issuer: b.url, jwks: { keys: [keyB.jwk] } })
  })

  test('a key set that the app exchanges is exchanged', async () => {
    await start()
    tenants.set('urn:a', { issuer: 'urn:a', jwks: { keys: [keyA.jwk] } })
    expect(await outcome(tokenOf('urn:a', keyA))).toBe('200 granted')
    tenants.set('urn:a', { issuer: 'urn:a', jwks: { keys: [keyB.jwk] } })
    app.clock.advance(30 * SECOND)
    expect([await outcome(tokenOf('urn:a', keyA)), await outcome(tokenOf('urn:a', keyB))]).toEqual([
      '401 bad_signature',
      '200 granted',
    ])
  })

  test('at most maxIssuers are kept: one that comes back begins anew', async () => {
    await start({ maxIssuers: 1, cache: false })
    for (let round = 0; round < 3; round += 1) {
      expect([await outcome(ofA()), await outcome(ofB())]).toEqual(['200 granted', '200 granted'])
    }
    expect([a.fetches(), b.fetches()]).toEqual([3, 3])
  })

  test('one that introspects is asked about its JWTs alone', async () => {
    const endpoint = addIntrospection(a)
    const introspection = { clientId: 'c', clientSecret: 's' }
    tenants.set(a.url, { issuer: a.url, kind: 'opaque', introspection })
    await start()
    const token = await ofA()
    endpoint.tokens.set(token, { active: true, aud: RESOURCE, sub: 'u1' })
    expect(await outcome(token)).toBe('200 granted')
    expect(await outcome('opaque')).toBe('401 malformed_token')
    expect(endpoint.asked).toHaveLength(1)
  })

  test('explainToken finds them too', async () => {
    await start()
    const now = Date.now()
    const token = await signToken(keyA, { issuer: a.url, audience: RESOURCE, now })
    const { verdict, steps } = await explainToken(token, { resource: RESOURCE, issuers: lookUp })
    expect([verdict.outcome, steps.at(-1)]).toMatchObject(['granted', { step: 'scopes', outcome: 'passed' }])
  })
})

describe('a function of the app that is async', () => {
  test('is asked once for concurrent tokens of one issuer', async () => {
    await start({ issuers: async (iss) => lookUp(iss) })
    const tokens = await Promise.all(Array.from({ length: 20 }, () => ofA()))
    const answers = await Promise.all(tokens.map((token) => app.get(token)))
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]))
    expect(asked).toEqual([a.url])
  })

  test('that rejects or hangs is an outage, 503, for issuers that are not known, and known ones go on for an hour', async () => {
    let isDown = false
    const issuers = async (iss: string) => {
      if (isDown) throw new Error('the database is down')
      return lookUp(iss)
    }
    await start({ issuers })
    expect(await outcome(ofA())).toBe('200 granted')
    isDown = true
    expect(await outcome(ofB())).toBe('503 verifier')
    app.clock.advance(30 * SECOND)
    expect(await outcome(ofA())).toBe('200 granted')
    a.jwksHeaders = { 'cache-control': 'max-age=86400' }
    app.clock.advance(59 * MINUTE)
    expect(await outcome(ofA())).toBe('200 granted')
    app.clock.advance(MINUTE)
    expect(await outcome(ofA())).toBe('503 verifier')
    isDown = false
    expect(await outcome(ofA())).toBe('200 granted')
    await app.stop()
    await start({ issuers: () => new Promise(() => undefined), issuersTimeoutMs: 50 })
    expect(await outcome(ofA())).toBe('503 verifier')
  })

  test.each([
    ['throws a bug', () => undefined as unknown as IssuerOptions, true],
    ['returns options that are wrong', (iss: string) => ({ issuer: iss, audiense: 'x' }) as IssuerOptions, false],
    ['returns a text', (iss: string) => iss as unknown as IssuerOptions, false],
  ])('or that %s is a bug, 500', async (_name, find, throws) => {
    await start({
      issuers: (iss) => {
        if (throws) throw new TypeError('undefined is not a function')
        return find(iss)
      },
    })
    expect(await outcome(ofA())).toBe('500 internal_error')
    expect(a.requests).toEqual([])
  })

  test('of a flood of unknown names 50 are looked up at once, and known issuers do not notice', async () => {
    const waiting: (() => void)[] = []
    await start({
      issuers: (iss) => tenants.get(iss) ?? new Promise<undefined>((resolve) => waiting.push(() => resolve(undefined))),
      issuersTimeoutMs: 60_000,
    })
    expect(await outcome(ofA())).toBe('200 granted')
    const flood = Array.from({ length: 50 }, async (_, n) => app.get(await tokenOf(`https://${n}.example.com`, keyA)))
    while (waiting.length < 50) await new Promise((resolve) => setTimeout(resolve, 5))
    expect(await outcome(tokenOf('https://one-more.example.com', keyA))).toBe('503 verifier')
    app.clock.advance(30 * SECOND)
    expect(await outcome(ofA())).toBe('200 granted')
    for (const resolve of waiting) resolve()
    expect(new Set((await Promise.all(flood)).map(({ status }) => status))).toEqual(new Set([401]))
  })
})

describe('the tenants of Microsoft Entra ID', () => {
  const OURS = '11111111-2222-3333-4444-555555555555'
  const THEIRS = '99999999-2222-3333-4444-555555555555'
  const issuerOf = (tenant: string) => `https://login.microsoftonline.com/${tenant}/v2.0`
  const groups = Array.from({ length: 200 }, (_, n) => `22222222-3333-4444-5555-${String(n).padStart(12, '0')}`)

  test.each([
    [OURS, OURS, '200 granted'],
    [OURS, THEIRS, '401 wrong_type'],
    [OURS, undefined, '401 wrong_type'],
    [THEIRS, THEIRS, '401 wrong_issuer'],
    ['common', OURS, '401 wrong_issuer'],
  ])('iss of %s with tid %s and 200 groups: %s', async (tenant, tid, expected) => {
    const find = entra({ tenant: (id) => id === OURS, audience: RESOURCE })
    const rsa = await makeKey('k1')
    await start({
      issuers: async (iss) => {
        const found = await find(iss)
        // Microsoft signs the tokens of all tenants with the same keys.
        return found && { ...found, jwksUri: undefined, jwks: { keys: [rsa.jwk] } }
      },
    })
    const claims = { tid, azp: 'client', ver: '2.0', scp: 'mcp', groups }
    expect(await outcome(tokenOf(issuerOf(tenant), rsa, { header: { typ: 'JWT' }, claims }))).toBe(expected)
  })
})

test('a gate without an issuer and a function for them does not start, and a list is no function', () => {
  expect(() => requireOAuthBearer({ resource: RESOURCE })).toThrow('option "issuer" is required')
  const issuers = ['https://auth.example.com'] as never
  expect(() => requireOAuthBearer({ resource: RESOURCE, issuers })).toThrow('a fixed list is for "issuer"')
})
