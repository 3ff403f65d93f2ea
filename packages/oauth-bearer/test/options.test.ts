import { generateKeyPairSync } from 'node:crypto'
import { type IssuerOptions, type RequireOAuthBearerOptions, requireOAuthBearer } from '@countersign/oauth-bearer'
import { describe, expect, test } from '@jest/globals'
import { generateKeyPair } from 'jose'

const RESOURCE = 'https://mcp.example.com/mcp'
const ISSUER = 'https://auth.example.com'
const introspection = { clientId: 'c', clientSecret: 's' }
const verify = () => null

/** `code option: message` of what creation throws. */
function thrownBy(options: object): string {
  try {
    requireOAuthBearer({ resource: RESOURCE, issuer: ISSUER, ...options } as RequireOAuthBearerOptions)
  } catch (error) {
    const { code, option, message } = error as { code: string; option: string; message: string }
    expect(error).toBeInstanceOf(TypeError)
    expect(message).toMatch(/^requireOAuthBearer: /)
    return `${code} ${option}`
  }
  return 'nothing'
}

describe('options', () => {
  test.each([
    [{ resource: undefined }, 'ERR_COUNTERSIGN_OPTION_MISSING resource'],
    [{ issuer: undefined }, 'ERR_COUNTERSIGN_OPTION_MISSING issuer'],
    [{ resource: 'http://mcp.example.com' }, 'ERR_COUNTERSIGN_OPTION_INVALID resource'],
    [{ resource: 'mcp.example.com' }, 'ERR_COUNTERSIGN_OPTION_INVALID resource'],
    [{ resource: 'https://mcp.example.com/#a' }, 'ERR_COUNTERSIGN_OPTION_INVALID resource'],
    [{ resource: 'https://mcp.example.com/?a' }, 'ERR_COUNTERSIGN_OPTION_INVALID resource'],
    [{ resource: 'https://u:p@mcp.example.com/' }, 'ERR_COUNTERSIGN_OPTION_INVALID resource'],
    [{ issuer: 'http://auth.example.com' }, 'ERR_COUNTERSIGN_OPTION_INVALID issuer'],
    [{ issuer: { issuer: 'http://auth.example.com' } }, 'ERR_COUNTERSIGN_OPTION_INVALID issuer.issuer'],
    // As they come from files and variables: no token would ever be for `resource\n`.
    [{ resource: `${RESOURCE}\n` }, 'ERR_COUNTERSIGN_OPTION_INVALID resource'],
    [{ resource: ` ${RESOURCE}` }, 'ERR_COUNTERSIGN_OPTION_INVALID resource'],
    [{ resource: `${RESOURCE}#` }, 'ERR_COUNTERSIGN_OPTION_INVALID resource'],
    [{ issuer: `${ISSUER}\n` }, 'ERR_COUNTERSIGN_OPTION_INVALID issuer'],
    [{ issuer: [] }, 'ERR_COUNTERSIGN_OPTION_INVALID issuer'],
    [{ issuer: [ISSUER, 'http://auth.example.com'] }, 'ERR_COUNTERSIGN_OPTION_INVALID issuer[1]'],
    [{ issuer: [ISSUER, ISSUER] }, 'ERR_COUNTERSIGN_OPTION_INVALID issuer'],
    [{ isuer: ISSUER }, 'ERR_COUNTERSIGN_OPTION_UNKNOWN isuer'],
    [{ issuer: { issuer: ISSUER, audiense: 'x' } }, 'ERR_COUNTERSIGN_OPTION_UNKNOWN issuer.audiense'],
    [{ clockToleranceSeconds: 61 }, 'ERR_COUNTERSIGN_OPTION_INVALID clockToleranceSeconds'],
    [{ clockToleranceSeconds: -1 }, 'ERR_COUNTERSIGN_OPTION_INVALID clockToleranceSeconds'],
    [{ maxTokenBytes: 10 }, 'ERR_COUNTERSIGN_OPTION_INVALID maxTokenBytes'],
    [{ cache: true }, 'ERR_COUNTERSIGN_OPTION_INVALID cache'],
    [{ cache: { maxEntries: 0 } }, 'ERR_COUNTERSIGN_OPTION_INVALID cache.maxEntries'],
    [{ audience: [] }, 'ERR_COUNTERSIGN_OPTION_INVALID audience'],
    [{ scopes: ['offline_access'] }, 'ERR_COUNTERSIGN_OPTION_INVALID scopes'],
    [{ scopes: ['a b'] }, 'ERR_COUNTERSIGN_OPTION_INVALID scopes'],
    [{ scopes: ['a"'] }, 'ERR_COUNTERSIGN_OPTION_INVALID scopes'],
    [{ scopeImplies: { a: 'b' } }, 'ERR_COUNTERSIGN_OPTION_INVALID scopeImplies'],
    [{ scopeImplies: { offline_access: ['b'] } }, 'ERR_COUNTERSIGN_OPTION_INVALID scopeImplies'],
    [{ claims: { a: 1 } }, 'ERR_COUNTERSIGN_OPTION_INVALID claims'],
    [{ isRevoked: true }, 'ERR_COUNTERSIGN_OPTION_INVALID isRevoked'],
    [{ keyCache: {} }, 'ERR_COUNTERSIGN_OPTION_INVALID keyCache'],
    [{ realm: 'a"b' }, 'ERR_COUNTERSIGN_OPTION_INVALID realm'],
    [{ resourceMetadataUrl: 'http://a.example.com' }, 'ERR_COUNTERSIGN_OPTION_INVALID resourceMetadataUrl'],
    [{ onDenied: 'redirect' }, 'ERR_COUNTERSIGN_OPTION_INVALID onDenied'],
    [{ legacy: {} }, 'ERR_COUNTERSIGN_OPTION_MISSING legacy.until'],
    [{ legacy: { until: '2027-01-01T00:00:00Z' } }, 'ERR_COUNTERSIGN_OPTION_MISSING legacy.tokens'],
    [{ legacy: { until: 'soon', verify } }, 'ERR_COUNTERSIGN_OPTION_INVALID legacy.until'],
    [{ legacy: { until: '2027-01-01', verify } }, 'ERR_COUNTERSIGN_OPTION_INVALID legacy.until'],
    [
      { legacy: { until: '2027-01-01T00:00:00Z', verify, scheme: 'Bearer' } },
      'ERR_COUNTERSIGN_OPTION_INVALID legacy.scheme',
    ],
    [
      { legacy: { until: '2027-01-01T00:00:00Z', tokens: { a: 'short' } } },
      'ERR_COUNTERSIGN_OPTION_INVALID legacy.tokens',
    ],
    [
      { legacy: { until: '2027-01-01T00:00:00Z', tokens: { a: 'a-token-of-16-or-more', b: 'a-token-of-16-or-more' } } },
      'ERR_COUNTERSIGN_OPTION_INVALID legacy.tokens',
    ],
    [
      { legacy: { until: '2027-01-01T00:00:00Z', tokens: { a: 'a token with spaces in it' } } },
      'ERR_COUNTERSIGN_OPTION_INVALID legacy.tokens',
    ],
    [{ legacy: { until: '2027-01-01T00:00:00Z', tokens: { a: [] } } }, 'ERR_COUNTERSIGN_OPTION_INVALID legacy.tokens'],
  ])('%j: %s', (options, expected) => {
    expect(thrownBy(options)).toBe(expected)
  })

  test.each([
    [{ kind: 'opaque' }, 'kind'],
    [{ kind: 'mixed' }, 'kind'],
    [{ kind: 'jwt', introspection }, 'kind'],
    [{ kind: 'jwt', verify }, 'kind'],
    [{ kind: 'opaque', introspection, jwksUri: `${ISSUER}/keys` }, 'kind'],
    [{ introspection, verify }, 'verify'],
    [{ tokenPrefix: 'a_' }, 'tokenPrefix'],
    [{ algorithms: ['none'] }, 'algorithms'],
    [{ algorithms: [] }, 'algorithms'],
    [{ algorithms: ['HS256'] }, 'algorithms'],
    [{ secret: 'x'.repeat(32), algorithms: ['RS256'] }, 'algorithms'],
    [{ secret: 'short' }, 'secret'],
    // RFC 7518 §3.2: as long as the hash.
    [{ secret: 'x'.repeat(31) }, 'secret'],
    [{ secret: 'x'.repeat(47), algorithms: ['HS384'] }, 'secret'],
    [{ secret: 'x'.repeat(63), algorithms: ['HS512'] }, 'secret'],
    [{ secret: 'x'.repeat(48), algorithms: ['HS256', 'HS384', 'HS512'] }, 'secret'],
    [{ secret: 'x'.repeat(32), jwks: { keys: [] } }, 'jwks'],
    [{ jwks: { keys: [] } }, 'jwks'],
    [
      {
        jwks: {
          keys: [
            { kty: 'oct', k: 'c2VjcmV0' },
            { kty: 'RSA', n: 'AQAB', e: 'AQAB' },
          ],
        },
      },
      'jwks',
    ],
    [{ jwks: { keys: [{ kty: 'EC', crv: 'P-256', x: 'AA', y: 'AA' }] }, algorithms: ['RS256'] }, 'jwks'],
    [{ verify, audience: 'a' }, 'audience'],
    [{ verify, checkAudience: () => true }, 'checkAudience'],
    [{ verify, clientIds: ['c1'] }, 'clientIds'],
    [{ verify, isAccessToken: () => true }, 'isAccessToken'],
    [{ kind: 'opaque', introspection, isAccessToken: () => true }, 'isAccessToken'],
    [{ isAccessToken: async () => true }, 'isAccessToken'],
    [{ maxTokenBytes: 255 }, 'maxTokenBytes'],
    [{ staleIfErrorSeconds: 86_401 }, 'staleIfErrorSeconds'],
    [{ trustedHosts: ['https://a'] }, 'trustedHosts'],
    [{ profile: 'loose' }, 'profile'],
    [{ introspection: { clientId: 'c', clientSecret: 's', cacheSeconds: 31 } }, 'introspection.cacheSeconds'],
    [{ introspection: { clientId: 'c', clientSecret: 's', mode: 'never' } }, 'introspection.mode'],
    [
      { introspection: { clientId: 'c', clientSecret: 's', endpoint: 'http://a.example.com' } },
      'introspection.endpoint',
    ],
  ])('an issuer with %j is refused for its %s', (issuer: Partial<IssuerOptions> | object, name) => {
    expect(thrownBy({ issuer: { issuer: ISSUER, ...issuer } })).toBe(`ERR_COUNTERSIGN_OPTION_INVALID issuer.${name}`)
  })

  const jwks = { keys: [generateKeyPairSync('ed25519').publicKey.export({ format: 'jwk' })] }
  const introspects = { clientId: 'c', clientSecret: 's' }

  test.each([
    { jwks },
    { jwksUri: 'https://keys.example.com/jwks' },
    { secret: 'x'.repeat(32) },
    { verify: () => null },
    { jwks, introspection: { ...introspects, endpoint: 'https://adfs.example.com/introspect' } },
  ])('an issuer that nobody fetches can have any name: with %j', (given) => {
    for (const issuer of ['http://adfs.example.com/adfs/services/trust', 'urn:example:issuer', 'accounts']) {
      expect(() => requireOAuthBearer({ resource: RESOURCE, issuer: { issuer, ...given } })).not.toThrow()
    }
  })

  test.each([
    {},
    { introspection: introspects },
    { jwks, introspection: introspects },
    { kind: 'opaque' as const, introspection: introspects },
    { introspection: { ...introspects, endpoint: 'https://adfs.example.com/introspect' } },
  ])('an issuer that is fetched has an https URL: with %j', (given) => {
    const issuer = 'http://adfs.example.com/adfs/services/trust'
    expect(thrownBy({ issuer: { issuer, ...given } })).toBe('ERR_COUNTERSIGN_OPTION_INVALID issuer.issuer')
  })

  test("no issuer has the name of the legacy tokens' issuer", () => {
    expect(thrownBy({ issuer: { issuer: 'legacy', jwks } })).toBe('ERR_COUNTERSIGN_OPTION_INVALID issuer')
  })

  test.each([
    ['HS256', 32],
    ['HS384', 48],
    ['HS512', 64],
  ])('a secret as long as the hash of %s is accepted: %i bytes', (algorithm, bytes) => {
    const issuer = { issuer: ISSUER, secret: 'x'.repeat(bytes), algorithms: [algorithm] }
    expect(() => requireOAuthBearer({ resource: RESOURCE, issuer })).not.toThrow()
  })

  test('a client that introspects needs its credentials', async () => {
    expect(thrownBy({ issuer: { issuer: ISSUER, introspection: { clientId: 'c' } } })).toBe(
      'ERR_COUNTERSIGN_OPTION_MISSING issuer.introspection.clientSecret',
    )
    const { publicKey } = generateKeyPairSync('ed25519')
    const withPublic = { clientId: 'c', privateKey: publicKey }
    expect(thrownBy({ issuer: { issuer: ISSUER, introspection: withPublic } })).toBe(
      'ERR_COUNTERSIGN_OPTION_INVALID issuer.introspection.privateKey',
    )
    const { privateKey } = generateKeyPairSync('ed25519')
    expect(thrownBy({ issuer: { issuer: ISSUER, introspection: { clientId: 'c', privateKey } } })).toBe(
      'ERR_COUNTERSIGN_OPTION_INVALID issuer.introspection.signingAlgorithm',
    )
    const fitting = { clientId: 'c', privateKey, signingAlgorithm: 'EdDSA' }
    expect(thrownBy({ issuer: { issuer: ISSUER, introspection: fitting } })).toBe('nothing')
    const { privateKey: cryptoKey } = await generateKeyPair('ES256')
    const withCryptoKey = { clientId: 'c', privateKey: cryptoKey, signingAlgorithm: 'ES256' }
    expect(thrownBy({ issuer: { issuer: ISSUER, introspection: withCryptoKey } })).toBe('nothing')
    const method = { clientId: 'c', clientSecret: 's', authMethod: 'private_key_jwt' }
    expect(thrownBy({ issuer: { issuer: ISSUER, introspection: method } })).toBe(
      'ERR_COUNTERSIGN_OPTION_MISSING issuer.introspection.privateKey',
    )
  })

  test('issuers of opaque tokens must be distinguishable', () => {
    const issuers = (one?: string, two?: string) => [
      { issuer: ISSUER, introspection, tokenPrefix: one },
      { issuer: 'https://two.example.com', verify, tokenPrefix: two },
    ]
    expect(thrownBy({ issuer: issuers() })).toBe('ERR_COUNTERSIGN_OPTION_MISSING issuer[0].tokenPrefix')
    expect(thrownBy({ issuer: issuers('a_') })).toBe('ERR_COUNTERSIGN_OPTION_MISSING issuer[1].tokenPrefix')
    expect(thrownBy({ issuer: issuers('a_', 'a_') })).toBe('ERR_COUNTERSIGN_OPTION_INVALID issuer[0].tokenPrefix')
    expect(thrownBy({ issuer: issuers('a_', 'a_b_') })).toBe('ERR_COUNTERSIGN_OPTION_INVALID issuer[1].tokenPrefix')
    expect(thrownBy({ issuer: issuers('a_', 'b_') })).toBe('nothing')
  })

  test('a secret is in no error', () => {
    const options = { issuer: { issuer: ISSUER, secret: 'a-short-secret' } }
    expect(() => requireOAuthBearer({ resource: RESOURCE, ...options })).toThrow(/^(?!.*a-short-secret)/)
    const legacy = { until: '2027-01-01T00:00:00Z', tokens: { a: 'short-one' } }
    expect(() => requireOAuthBearer({ resource: RESOURCE, issuer: ISSUER, legacy })).toThrow(/^(?!.*short-one)/)
  })

  test('arguments of scopes(), stepUp() and metadata() are checked at the call', () => {
    const gate = requireOAuthBearer({ resource: RESOURCE, issuer: ISSUER })
    expect(() => gate.scopes('offline_access')).toThrow(/offline_access, which is not a scope of a resource/)
    expect(() => gate.stepUp({ maxAuthAgeSeconds: -1 })).toThrow(/stepUp.maxAuthAgeSeconds/)
    expect(() => gate.stepUp({})).toThrow(/stepUp\(\) requires nothing/)
    expect(() => gate.stepUp({ acr: [] })).toThrow(/stepUp\(\) requires nothing/)
    expect(() => gate.stepUp({ acr: ['a b'] })).toThrow(/stepUp.acr/)
    expect(() => gate.metadata({ resourcename: 'x' } as object)).toThrow(/Did you mean "resourceName"/)
    expect(() => gate.metadata({ scopesSupported: ['offline_access'] })).toThrow(/offline_access/)
  })

  test('scopes() takes scopes or a list of them, and at least one', () => {
    const gate = requireOAuthBearer({ resource: RESOURCE, issuer: ISSUER })
    const challenged = (...scopes: string[] | [string[]]) => gate.scopes(...scopes).challenge()[0]?.parameters
    expect(challenged(['files:read', 'files:write'])).toEqual(challenged('files:read', 'files:write'))
    expect(challenged(['files:read'])?.scope).toBe('files:read')
    const refused = gate.scopes as (...scopes: unknown[]) => unknown
    for (const scopes of [[], [undefined], [[]], [null], [['a'], 'b'], ['a', ['b']], [1], [[undefined]], [{}], ['']]) {
      expect(() => refused(...scopes)).toThrow(expect.objectContaining({ name: 'OptionError', option: 'scopes()' }))
    }
  })

  test.each([
    [{ requiredScopes: ['a'] }, 'scopes'],
    [{ issuerBaseURL: ISSUER }, 'issuer'],
    [{ clockTolerance: 5 }, 'clockToleranceSeconds'],
    [{ algorithms: ['RS256'] }, 'issuer.algorithms'],
    [{ secret: 'x' }, 'issuer.secret'],
    [{ jwksUri: `${ISSUER}/keys` }, 'issuer.jwksUri'],
    [{ audiences: 'x' }, 'audience'],
    [{ isRevokedToken: () => false }, 'isRevoked'],
    [{ issuer: { issuer: ISSUER, clientSecret: 'x' } }, 'introspection.clientSecret'],
    [{ issuer: { issuer: ISSUER, algorithm: 'RS256' } }, 'algorithms'],
  ])('a name that is known from elsewhere is told what it is here: %j', (options, meant) => {
    const create = () => requireOAuthBearer({ resource: RESOURCE, issuer: ISSUER, ...options } as never)
    expect(create).toThrow(`Did you mean "${meant}"?`)
    expect(create).not.toThrow(/got "x"/)
  })

  test('checkAudience must not be async: a promise would refuse every token', () => {
    const issuer = { issuer: ISSUER, checkAudience: (async () => true) as never }
    expect(() => requireOAuthBearer({ resource: RESOURCE, issuer })).toThrow(
      'requireOAuthBearer: option "issuer.checkAudience" must be a function that is not async, got an async function',
    )
  })

  test('creation sends no request', () => {
    requireOAuthBearer({ resource: RESOURCE, issuer: 'https://nowhere.invalid' })
    requireOAuthBearer({ resource: 'http://localhost:3000/mcp', issuer: 'http://127.0.0.1:4000' })
  })
})
