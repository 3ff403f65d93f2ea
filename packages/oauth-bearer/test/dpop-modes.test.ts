import type { IssuerOptions, RequireOAuthBearerOptions } from '@countersign/oauth-bearer'
import { keycloak } from '@countersign/oauth-bearer/presets'
import { afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals'
import { requireOAuthBearer } from '../src/index.js'
import { type DpopApp, dpopApp } from './dpop-app.js'
import { RESOURCE } from './harness.js'
import { addIntrospection } from './introspector.js'
import { type IssuerKey, makeKey, signToken, startIssuer, type TestIssuer } from './test-issuer.js'

let dpop: DpopApp
let own: TestIssuer
let key: IssuerKey
beforeAll(async () => {
  key = await makeKey('k1', 'ES256')
})
beforeEach(async () => {
  own = await startIssuer(key)
})
afterEach(async () => {
  await dpop.app.stop()
  await own.close()
})

const tokenOf = (claims: Record<string, unknown> = {}) =>
  signToken(key, { issuer: own.url, audience: RESOURCE, now: dpop.app.clock.now() }, { claims })
const bound = (claims: Record<string, unknown> = {}) => tokenOf({ cnf: { jkt: dpop.key.jkt }, ...claims })
const asBearer = (token: string) => dpop.outcome({ token, scheme: 'Bearer', proofs: [] })

describe('[dpop-issuers] each issuer has its own rule', () => {
  const RULES = [
    [false, 'accepted', '200 granted', '401 bound_token'],
    ['accepted', 'required', '200 granted', '200 granted'],
    ['required', 'accepted', '401 bound_token', '200 granted'],
    [undefined, 'required', '401 bound_token', '200 granted'],
  ] as const

  test.each(RULES)('%s, where the gate says %s: bearer %s, bound %s', async (rule, mode, bearer, proven) => {
    dpop = await dpopApp(mode, { issuer: [{ issuer: 'https://other.example.com' }, { issuer: own.url, dpop: rule }] })
    expect(await asBearer(await tokenOf())).toBe(bearer)
    expect(await dpop.outcome({ token: await bound() })).toBe(proven)
    expect(await asBearer(await bound())).toBe('401 bound_token')
    expect(await dpop.outcome({ token: await tokenOf() })).toBe('401 bound_token')
  })

  test.each(RULES)('%s, of an issuer at run time, where the gate says %s', async (rule, mode, bearer, proven) => {
    dpop = await dpopApp(mode, { issuer: undefined, issuers: (issuer) => ({ issuer, dpop: rule }) })
    expect(await asBearer(await tokenOf())).toBe(bearer)
    expect(await dpop.outcome({ token: await bound() })).toBe(proven)
    expect(await asBearer(await bound())).toBe('401 bound_token')
  })

  test('challenges and metadata say that a bearer token is not enough only where it never is', async () => {
    const issuers = (rule: 'accepted' | 'required'): RequireOAuthBearerOptions['issuer'] => [
      { issuer: 'https://other.example.com', dpop: 'required' },
      { issuer: own.url, dpop: rule },
    ]
    dpop = await dpopApp('accepted', { issuer: issuers('accepted') })
    expect((await dpop.app.get()).headers.get('www-authenticate')).toMatch(/^Bearer .*, DPoP /)
    await dpop.app.stop()
    dpop = await dpopApp('accepted', { issuer: issuers('required') })
    expect((await dpop.app.get()).headers.get('www-authenticate')).toMatch(/^DPoP /)
  })

  test('one that wants proofs of a gate that checks none is a wrong option, and at run time a bug', async () => {
    const issuer: IssuerOptions = { issuer: own.url, dpop: 'accepted' }
    const make = (given: RequireOAuthBearerOptions['issuer']) => () =>
      requireOAuthBearer({ resource: RESOURCE, issuer: given })
    expect(make(issuer)).toThrow(/"issuer.dpop" needs the gate's option "dpop"/)
    expect(make([{ issuer: 'https://a.example.com' }, issuer])).toThrow(/"issuer\[1\].dpop" needs/)
    dpop = await dpopApp(false, { issuer: undefined, issuers: () => issuer })
    expect(await asBearer(await tokenOf())).toBe('500 internal_error')
  })
})

describe('[dpop-routes] one route can demand a bound token', () => {
  test('beside others that take bearer tokens, and together with scopes', async () => {
    dpop = await dpopApp('accepted', {
      routes: (routes, gate) => {
        routes.post('/pay', gate.dpop(), gate.scopes('files:read'), (_request, response) => void response.json({}))
      },
    })
    const bearer = await dpop.app.token()
    expect(await asBearer(bearer)).toBe('200 granted')
    const refused = await dpop.call({ method: 'POST', path: '/pay', token: bearer, scheme: 'Bearer', proofs: [] })
    expect([refused.status, refused.challenge]).toEqual([401, expect.stringMatching(/^DPoP .*error="invalid_token"/)])
    expect(dpop.app.last()).toBe('bound_token')
    expect((await dpop.call({ method: 'POST', path: '/pay' })).status).toBe(200)
    const other = await dpop.boundToken({ scope: 'other' })
    expect((await dpop.call({ method: 'POST', path: '/pay', token: other })).status).toBe(403)
  })

  test('[dpop-step-up] a step-up is asked for in the challenge of DPoP', async () => {
    dpop = await dpopApp('accepted', {
      routes: (routes, gate) =>
        void routes.use('/admin', gate.stepUp({ acr: ['urn:mfa'] }), (_request, response) => void response.json({})),
    })
    const { status, challenge } = await dpop.call({ path: '/admin' })
    expect(status).toBe(401)
    expect(challenge).toMatch(
      /^Bearer realm="[^"]*", DPoP .*error="insufficient_user_authentication".*acr_values="urn:mfa"/,
    )
    const strong = await dpop.boundToken({ acr: 'urn:mfa' })
    expect((await dpop.call({ path: '/admin', token: strong })).status).toBe(200)
  })

  test('legacy tokens keep their own scheme, and are not enough there', async () => {
    dpop = await dpopApp('required', {
      legacy: { tokens: { old: 'an-old-token-of-the-tests' }, until: '2100-01-01T00:00:00Z' },
      routes: (routes, gate) => void routes.use('/pay', gate.dpop(), (_request, response) => void response.json({})),
    })
    const legacy = { token: 'an-old-token-of-the-tests', scheme: 'Token', proofs: [] }
    expect(await dpop.outcome(legacy)).toBe('200 granted')
    expect(await dpop.outcome({ ...legacy, path: '/pay' })).toBe('401 bound_token')
  })
})

describe('[dpop-introspected] what is said of a token counts like what is in it', () => {
  const introspection = { clientId: 'c', clientSecret: 's' }
  const start = async (mode: 'always' | 'opaque-only' | 'any-failure') => {
    const endpoint = addIntrospection(own)
    dpop = await dpopApp('accepted', { issuer: { issuer: own.url, introspection: { ...introspection, mode } } })
    const active = { active: true, iss: own.url, aud: RESOURCE, sub: 'u1', exp: dpop.app.clock.now() / 1000 + 60 }
    return (token: string, said: object) => void endpoint.tokens.set(token, { ...active, ...said })
  }

  test('of an opaque token', async () => {
    const say = await start('opaque-only')
    const cnf = { jkt: dpop.key.jkt }
    say('bound', { cnf, token_type: 'DPoP' })
    say('as-bearer', { cnf, token_type: 'Bearer' })
    for (const token of ['bound', 'as-bearer', 'bound']) {
      expect(await dpop.outcome({ token })).toBe('200 granted')
      expect(await asBearer(token)).toBe('401 bound_token')
    }
    say('to-nothing', { token_type: 'DPoP' })
    say('to-another', { cnf: { jkt: 'A'.repeat(43) } })
    say('to-no-one', { token_type: 'Bearer' })
    expect(await dpop.outcome({ token: 'to-nothing' })).toBe('401 bound_token')
    expect(await asBearer('to-nothing')).toBe('401 bound_token')
    expect(await dpop.outcome({ token: 'to-another' })).toBe('401 bad_proof jkt')
    expect(await dpop.outcome({ token: 'to-no-one' })).toBe('401 bound_token')
    expect(await asBearer('to-no-one')).toBe('200 granted')
  })

  test('of a JWT, beside what it says itself; a contradiction is refused', async () => {
    const say = await start('always')
    const plain = await tokenOf()
    say(plain, { cnf: { jkt: dpop.key.jkt } })
    expect(await asBearer(plain)).toBe('401 bound_token')
    expect(await dpop.outcome({ token: plain })).toBe('200 granted')
    const [silent, agreed, contradicted, typed] = [await bound(), await bound(), await bound(), await tokenOf()]
    say(silent, {})
    say(agreed, { cnf: { jkt: dpop.key.jkt, 'x5t#S256': 'a' } })
    say(contradicted, { cnf: { jkt: 'A'.repeat(43) } })
    say(typed, { token_type: 'DPoP' })
    expect(await dpop.outcome({ token: silent })).toBe('200 granted')
    expect(await dpop.outcome({ token: agreed })).toBe('200 granted')
    expect(await dpop.outcome({ token: contradicted })).toBe('401 bound_token')
    expect(await asBearer(typed)).toBe('401 bound_token')
  })

  test('of a JWT that the endpoint alone decides on, beside what it says itself', async () => {
    const say = await start('any-failure')
    const jwt = (claims: object) => tokenOf({ aud: 'another', ...claims })
    const bare = await jwt({})
    const silent = await jwt({ cnf: { jkt: dpop.key.jkt } })
    const typed = await jwt({ typ: 'DPoP' })
    const contradicted = await jwt({ cnf: { jkt: dpop.key.jkt } })
    for (const token of [bare, silent, typed]) say(token, { token_type: 'Bearer' })
    say(contradicted, { cnf: { jkt: 'A'.repeat(43) } })
    expect(await asBearer(bare)).toBe('200 granted')
    for (const token of [silent, typed, contradicted]) expect(await asBearer(token)).toBe('401 bound_token')
    expect(await dpop.outcome({ token: silent })).toBe('200 granted')
    expect(await asBearer(silent)).toBe('401 bound_token')
    expect(await dpop.outcome({ token: contradicted })).toBe('401 bound_token')
  })

  test('by the app’s own function', async () => {
    const verify = (token: string) => ({
      subject: 'u1',
      claims: token === 'bound' ? { cnf: { jkt: dpop.key.jkt } } : {},
    })
    dpop = await dpopApp('accepted', { issuer: { issuer: own.url, verify } })
    expect(await dpop.outcome({ token: 'bound' })).toBe('200 granted')
    expect(await asBearer('bound')).toBe('401 bound_token')
    expect(await asBearer('plain')).toBe('200 granted')
    // A JWT says it itself.
    const another = { iss: 'another' }
    expect(await asBearer(await tokenOf(another))).toBe('200 granted')
    expect(await asBearer(await bound(another))).toBe('401 bound_token')
    expect(await dpop.outcome({ token: await bound(another) })).toBe('200 granted')
    expect(await dpop.outcome({ token: 'plain' })).toBe('401 bound_token')
  })
})

test('[dpop-keycloak] a token of Keycloak that says that it is bound, without a cnf, is no bearer token', async () => {
  for (const mode of [false, 'accepted'] as const) {
    dpop = await dpopApp(mode, { issuer: keycloak({ issuer: own.url, audience: RESOURCE }) })
    expect(await asBearer(await tokenOf({ typ: 'DPoP' }))).toBe('401 bound_token')
    expect(await asBearer(await tokenOf({ typ: 'Bearer' }))).toBe('200 granted')
    await dpop.app.stop()
  }
  dpop = await dpopApp('accepted', { issuer: keycloak({ issuer: own.url, audience: RESOURCE }) })
  expect(await dpop.outcome({ token: await bound({ typ: 'DPoP' }) })).toBe('200 granted')
})

test('[dpop-proxy] behind a proxy that removes a part of the path, proofs name the path that the client asked for', async () => {
  dpop = await dpopApp({ strippedPrefix: '/api' })
  const { origin } = new URL(RESOURCE)
  expect(await dpop.outcome({ path: '/files', proof: { url: `${origin}/api/files` } })).toBe('200 granted')
  expect(await dpop.outcome({ path: '/files', proof: { url: `${origin}/files` } })).toBe('401 bad_proof htu')
})

test('wrong options are told of at the start', async () => {
  dpop = await dpopApp()
  const make = (given: unknown) => () =>
    requireOAuthBearer({ resource: RESOURCE, issuer: own.url, dpop: given as RequireOAuthBearerOptions['dpop'] })
  expect(make('on')).toThrow(/"dpop" must be false, 'accepted', 'required' or an object/)
  expect(make({ mode: 'on' })).toThrow(/"dpop.mode" must be one of 'accepted', 'required'/)
  expect(make({ algorithms: ['HS256'] })).toThrow(/"dpop.algorithms" must be a list of/)
  expect(make({ algorithms: [] })).toThrow(/"dpop.algorithms"/)
  expect(make({ window: 5 })).toThrow(/Did you mean "windowSeconds"\?/)
  expect(make({ strippedPrefix: '/api/' })).toThrow(/"dpop.strippedPrefix" must be a path such as \/api/)
  expect(make({ replay: {} })).toThrow(/"dpop.replay" must be a replay store/)
})
