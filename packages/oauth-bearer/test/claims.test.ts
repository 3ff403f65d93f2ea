import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals'
import { encode } from './forge.js'
import { type Harness, oauthApp } from './harness.js'

let app: Harness
let relaxed: Harness
beforeAll(async () => {
  app = await oauthApp()
  relaxed = await oauthApp(({ url }) => ({ issuer: { issuer: url, profile: 'relaxed' } }))
})
afterAll(async () => {
  await app.stop()
  await relaxed.stop()
})

async function reasonOf(harness: Harness, token: Promise<string>) {
  const { status } = await harness.get(await token)
  return `${status} ${harness.last()}`
}

describe('other tokens of the same issuer', () => {
  test.each(['at+jwt', 'AT+JWT', 'application/at+jwt', 'Application/At+Jwt'])(
    'typ %s is an access token',
    async (typ) => {
      expect(await reasonOf(app, app.token({ header: { typ } }))).toBe('200 granted')
    },
  )

  test.each([
    'JWT',
    'jwt',
    'dpop+jwt',
    'logout+jwt',
    'rt+jwt',
    'at+jwt ',
    'application/application/at+jwt',
    '',
    undefined,
  ])('[oauth-other-tokens] typ %s is not an access token in the profile of RFC 9068', async (typ) => {
    expect(await reasonOf(app, app.token({ header: { typ } }))).toBe('401 wrong_type')
  })

  test('[oauth-other-tokens] a proof that is presented as a token is refused, in either profile', async () => {
    const proof = {
      header: { typ: 'dpop+jwt', jwk: app.key.jwk },
      claims: { htm: 'GET', htu: 'https://mcp.example.com' },
    }
    expect(await reasonOf(app, app.token(proof))).toBe('401 wrong_type')
    expect(await reasonOf(relaxed, relaxed.token({ ...proof, header: { typ: 'dpop+jwt' } }))).toBe('401 wrong_type')
  })

  test.each([
    ['an ID token with a nonce', { nonce: 'n' }],
    ['an ID token of a hybrid flow', { at_hash: 'h' }],
    ['an ID token of Cognito', { token_use: 'id' }],
    ['a refresh token of Hydra', { token_use: 'refresh_token' }],
    ['an ID token of Keycloak', { typ: 'ID' }],
    ['a refresh token of Keycloak', { typ: 'Refresh' }],
    ['an offline token of Keycloak', { typ: 'Offline' }],
    ['a logout token', { events: {} }],
  ])('[oauth-other-tokens] %s is refused even in the relaxed profile', async (_name, claims) => {
    expect(await reasonOf(relaxed, relaxed.token({ header: { typ: 'JWT' }, claims }))).toBe('401 wrong_type')
  })

  test.each([
    ['JWT', {}],
    [undefined, {}],
    ['at+jwt', {}],
    ['JWT', { token_use: 'access' }],
    ['JWT', { token_use: 'access_token' }],
    ['JWT', { token_use: null, nonce: null, at_hash: null }],
    [null, {}],
    ['JWT', { typ: 'Bearer', nonce: 'n' }],
  ])('in the relaxed profile an access token of typ %s with %j is accepted', async (typ, claims) => {
    expect(await reasonOf(relaxed, relaxed.token({ header: { typ }, claims }))).toBe('200 granted')
  })

  test('the first refusal for its type prints one warning with the remedy', async () => {
    const warn = jest.spyOn(process, 'emitWarning').mockImplementation(() => undefined)
    const fresh = await oauthApp()
    try {
      for (let round = 0; round < 3; round += 1) await fresh.get(await fresh.token({ header: { typ: 'JWT' } }))
      expect(warn.mock.calls).toEqual([
        [
          `oauth-bearer: a request was refused as wrong_type: token_type="JWT" expected_types="at+jwt" issuer="${fresh.issuer.url}". See https://countersign.example/errors/COUNTERSIGN_OAUTH_WRONG_TYPE`,
          expect.objectContaining({
            code: 'COUNTERSIGN_OAUTH_WRONG_TYPE',
            detail: expect.stringContaining("set profile: 'relaxed' for it"),
          }),
        ],
      ])
    } finally {
      warn.mockRestore()
      await fresh.stop()
    }
  })
})

describe('required claims', () => {
  test.each(['exp', 'aud', 'sub', 'client_id', 'iat', 'jti'])('RFC 9068 requires %s', async (name) => {
    expect(await reasonOf(app, app.token({ claims: { [name]: undefined } }))).toBe('401 missing_claim')
  })

  test.each(['exp', 'aud'])('the relaxed profile requires %s', async (name) => {
    expect(await reasonOf(relaxed, relaxed.token({ claims: { [name]: undefined } }))).toBe('401 missing_claim')
  })

  test.each(['iat', 'jti', 'client_id', 'sub'])('the relaxed profile does not require %s', async (name) => {
    expect(await reasonOf(relaxed, relaxed.token({ claims: { [name]: undefined } }))).toBe('200 granted')
  })

  test.each(['nbf', 'cnf', 'azp', 'scope', 'acr'])('a claim that is null is an absent one: %s', async (name) => {
    const { status, json } = await app.get(await app.token({ claims: { [name]: null } }))
    expect([status, app.last()]).toEqual([200, 'granted'])
    expect((json.principal as { claims: object }).claims).not.toHaveProperty(name)
  })

  test('a required claim that is null is missing', async () => {
    expect(await reasonOf(app, app.token({ claims: { jti: null } }))).toBe('401 missing_claim')
    expect(await reasonOf(relaxed, relaxed.token({ claims: { jti: null } }))).toBe('200 granted')
  })

  test('without a subject the client is the principal; without both the token is refused', async () => {
    const { json } = await relaxed.get(await relaxed.token({ claims: { sub: undefined } }))
    expect((json.principal as { id: string }).id).toBe(`${relaxed.issuer.url}|client|c1`)
    expect(await reasonOf(relaxed, relaxed.token({ claims: { sub: undefined, client_id: undefined } }))).toBe(
      '401 missing_claim',
    )
  })

  test('[oauth-principal-id] no subject has the id of a client, nor of another subject', async () => {
    const subjects = ['client|c1', 'subject|client|c1', 'subject|', 'auth0|u1', undefined]
    const ids = await Promise.all(
      subjects.map(async (sub) => (await relaxed.get(await relaxed.token({ claims: { sub } }))).json.principal),
    )
    expect(ids.map((principal) => (principal as { id: string }).id.slice(relaxed.issuer.url.length))).toEqual([
      '|subject|client|c1',
      '|subject|subject|client|c1',
      '|subject|subject|',
      '|auth0|u1',
      '|client|c1',
    ])
  })

  test("no issuer's subject has the id of another issuer's", async () => {
    const { url } = relaxed.issuer
    const barred = await oauthApp((_issuer, clock) => ({
      clock,
      issuer: [
        { issuer: `${url}/t`, profile: 'relaxed', jwks: { keys: [relaxed.key.jwk] } },
        { issuer: `${url}/t|a`, profile: 'relaxed', jwks: { keys: [relaxed.key.jwk] } },
        { issuer: `${url}/t%7Ca`, profile: 'relaxed', jwks: { keys: [relaxed.key.jwk] } },
      ],
    }))
    const idOf = async (iss: string, sub: string) =>
      ((await barred.get(await barred.token({ claims: { iss, sub } }, relaxed.key))).json.principal as { id: string })
        .id
    expect([await idOf(`${url}/t`, 'a|u1'), await idOf(`${url}/t|a`, 'u1'), await idOf(`${url}/t%7Ca`, 'u1')]).toEqual([
      `${url}/t|a|u1`,
      `${url}/t%7Ca|u1`,
      `${url}/t%257Ca|u1`,
    ])
    await barred.stop()
  })

  test.each([
    { sub: 1 },
    { sub: ['u1'] },
    { client_id: { a: 1 } },
    { jti: 1 },
    { exp: '9999999999' },
    { exp: [9999999999] },
    { nbf: 'now' },
    { iat: null },
    { exp: true },
  ])('a claim of the wrong type counts as missing: %j', async (claims) => {
    expect(await reasonOf(app, app.token({ claims }))).toBe('401 missing_claim')
  })

  test.each([{ jkt: 'x' }, { 'x5t#S256': 'x' }, {}, 'x', false])(
    'a token that is bound to a key, cnf %j, is not accepted as a bearer token',
    async (cnf) => {
      expect(await reasonOf(app, app.token({ claims: { cnf } }))).toBe('401 bound_token')
    },
  )
})

describe('the clock', () => {
  // Tolerance 5 s: the first moment of the one verdict stands beside the last of the other.
  test.each([
    [{ exp: 1 }, '200 granted'],
    [{ exp: 0 }, '200 granted'],
    [{ exp: -4 }, '200 granted'],
    [{ exp: -5 }, '401 expired'],
    [{ exp: -4.5 }, '200 granted'],
    [{ exp: -3600 }, '401 expired'],
    [{ nbf: 0 }, '200 granted'],
    [{ nbf: 5 }, '200 granted'],
    [{ nbf: 6 }, '401 not_yet_valid'],
    [{ nbf: -3600 }, '200 granted'],
    [{ iat: 5 }, '200 granted'],
    // RFC 7519 §4.1.6: information. Some issuers' clocks run ahead, and `nbf` says what must wait.
    [{ iat: 6 }, '200 granted'],
    [{ iat: 86_400 }, '200 granted'],
    [{ iat: 86_400, nbf: 6 }, '401 not_yet_valid'],
    [{ iat: -86_400 }, '200 granted'],
    [{ exp: -5, nbf: 6 }, '401 expired'],
  ])('[oauth-clock] with times of %j seconds from now: %s', async (offsets, expected) => {
    const now = Math.floor(app.clock.now() / 1000)
    const claims = Object.fromEntries(Object.entries(offsets).map(([name, offset]) => [name, now + offset]))
    expect(await reasonOf(app, app.token({ claims }))).toBe(expected)
  })

  test.each([
    [0, 0, '401 expired'],
    [0, 1, '200 granted'],
    [60, -59, '200 granted'],
    [60, -60, '401 expired'],
  ])(
    '[oauth-clock] with a tolerance of %i s, a token that expires in %i s: %s',
    async (tolerance, offset, expected) => {
      const harness = await oauthApp({ clockToleranceSeconds: tolerance })
      const exp = Math.floor(harness.clock.now() / 1000) + offset
      expect(await reasonOf(harness, harness.token({ claims: { exp } }))).toBe(expected)
      await harness.stop()
    },
  )

  test('[oauth-clock] a cached token expires at its time, and one that is not valid yet becomes valid', async () => {
    const now = Math.floor(app.clock.now() / 1000)
    const token = await app.token({ claims: { exp: now + 60 } })
    const early = await app.token({ claims: { nbf: now + 30 } })
    expect((await app.get(token)).status).toBe(200)
    expect(await reasonOf(app, Promise.resolve(early))).toBe('401 not_yet_valid')
    app.clock.advance(64_999)
    expect(await reasonOf(app, Promise.resolve(token))).toBe('200 granted')
    expect(await reasonOf(app, Promise.resolve(early))).toBe('200 granted')
    app.clock.advance(1)
    expect(await reasonOf(app, Promise.resolve(token))).toBe('401 expired')
    expect(await reasonOf(app, Promise.resolve(token))).toBe('401 expired')
  })
})

describe('issuers with their own claims', () => {
  test('an issuer can say which of its tokens are access tokens, in place of the marks that relaxed looks for', async () => {
    const harness = await oauthApp(({ url }) => ({
      issuer: { issuer: url, profile: 'relaxed', isAccessToken: ({ scp }) => typeof scp === 'string' },
    }))
    const typ = 'JWT'
    expect(await reasonOf(harness, harness.token({ header: { typ }, claims: { scp: 'a', nonce: 'n' } }))).toBe(
      '200 granted',
    )
    expect(await reasonOf(harness, harness.token({ header: { typ } }))).toBe('401 wrong_type')
    expect(harness.events.at(-1)?.attributes).toEqual({ token_type: 'JWT', issuer: harness.issuer.url })
    // Its type still counts, and it is asked about what the issuer signed alone.
    expect(await reasonOf(harness, harness.token({ header: { typ: 'dpop+jwt' }, claims: { scp: 'a' } }))).toBe(
      '401 wrong_type',
    )
    const [header, , signature] = (await harness.token({ header: { typ } })).split('.')
    const forged = [header, encode({ iss: harness.issuer.url, scp: {} }), signature].join('.')
    expect(await reasonOf(harness, Promise.resolve(forged))).toBe('401 bad_signature')
    await harness.stop()
  })

  test.each([
    ['a promise', async () => true, '500 internal_error'],
    ['no boolean', () => 1 as unknown as boolean, '401 wrong_type'],
    [
      'an error',
      () => {
        throw new Error('down')
      },
      '503 verifier',
    ],
  ])('a rule for access tokens that answers %s: %s', async (_name, isAccessToken, expected) => {
    // A promise that is returned by a function which is not async.
    const answer = () => (isAccessToken as () => boolean)()
    const harness = await oauthApp(({ url }) => ({ issuer: { issuer: url, isAccessToken: () => answer() } }))
    expect(await reasonOf(harness, harness.token())).toBe(expected)
    await harness.stop()
  })

  test('the claim by which a token is of another kind is in the event', async () => {
    expect(await reasonOf(relaxed, relaxed.token({ claims: { nonce: 'n' } }))).toBe('401 wrong_type')
    expect(relaxed.events.at(-1)?.attributes).toEqual({
      token_type: 'at+jwt',
      claim: 'nonce',
      issuer: relaxed.issuer.url,
    })
  })

  test('clients, audience and mapped claims are the configuration of an issuer', async () => {
    const harness = await oauthApp(({ url }) => ({
      issuer: {
        issuer: url,
        profile: 'relaxed',
        checkAudience: ({ aud, token_use }) => aud === undefined && token_use === 'access',
        clientIds: ['c1', 'c2'],
        claims: { accountId: 'urn:example:account_id', groups: 'cognito:groups' },
        scopeClaims: ['scope', 'permissions'],
      },
    }))
    const claims = {
      aud: undefined,
      token_use: 'access',
      'urn:example:account_id': 'a7',
      permissions: ['files:write', 'files:read'],
    }
    const { json } = await harness.get(await harness.token({ header: { typ: undefined }, claims }))
    expect(json.principal).toMatchObject({
      scopes: ['files:read', 'files:write'],
      claims: { accountId: 'a7', 'urn:example:account_id': 'a7' },
    })
    expect((json.principal as { claims: object }).claims).not.toHaveProperty('groups')
    expect(await reasonOf(harness, harness.token({ claims: { ...claims, client_id: 'c3' } }))).toBe(
      '401 wrong_audience',
    )
    expect(await reasonOf(harness, harness.token({ claims: { ...claims, aud: 'x' } }))).toBe('401 wrong_audience')
    await harness.stop()
  })

  test.each([
    [{ client_id: undefined, azp: 'z' }, 'z'],
    [{ client_id: undefined, cid: 'o' }, 'o'],
    [{ client_id: undefined, appid: 'e' }, 'e'],
    [{ azp: 'z' }, 'c1'],
  ])('the client is read from where issuers put it: %j', async (claims, clientId) => {
    const { json } = await relaxed.get(await relaxed.token({ claims }))
    expect((json.principal as { clientId: string }).clientId).toBe(clientId)
  })

  test.each([
    [{ scope: 'a b' }, ['a', 'b']],
    [{ scope: ['a', 'b', 1] }, ['a', 'b']],
    [{ scope: undefined, scp: 'a' }, ['a']],
    [{ scope: undefined, scp: ['a'] }, ['a']],
    [{ scope: ' a  a ' }, ['a']],
    [{ scope: undefined }, []],
    [{ scope: { a: 1 } }, []],
  ])('scopes are read from where issuers put them: %j', async (claims, scopes) => {
    const { json } = await relaxed.get(await relaxed.token({ claims }))
    expect((json.principal as { scopes: string[] }).scopes).toEqual(scopes)
  })
})
