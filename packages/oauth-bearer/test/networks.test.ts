import { type RequireOAuthBearerOptions, requireOAuthBearer } from '@countersign/oauth-bearer'
import { afterEach, beforeAll, describe, expect, test } from '@jest/globals'
import { type RunningServer, serve } from '../../../test/support/http-server.js'
import { catchWarnings } from '../../../test/support/warnings.js'
import { type Harness, oauthApp, RESOURCE } from './harness.js'
import { type IssuerKey, makeKey, signToken } from './test-issuer.js'

let key: IssuerKey
let app: Harness | undefined
let other: RunningServer | undefined
beforeAll(async () => {
  key = await makeKey('k1', 'ES256')
})
afterEach(async () => {
  await app?.stop()
  await other?.close()
  app = other = undefined
})

const tokenOf = (issuer: string, claims = {}) =>
  signToken(key, { issuer, audience: RESOURCE, now: app?.clock.now() ?? Date.now() }, { claims })
const outcome = async (token: string) => `${(await app?.get(token))?.status} ${app?.last()}`
const failure = () => app?.events.findLast(({ type }) => type === 'oauth.keys.unavailable')?.attributes?.failure
const thrownBy = (options: Partial<RequireOAuthBearerOptions>): string | undefined => {
  try {
    requireOAuthBearer({ resource: RESOURCE, issuer: 'https://auth.example.com', ...options })
  } catch (error) {
    return (error as Error).message
  }
  return undefined
}

describe('the name of an issuer whose keys are given', () => {
  test.each(['http://adfs.example.com/adfs/services/trust', 'urn:example:issuer', 'accounts.example.com'])(
    '%s: need be no https URL',
    async (issuer) => {
      app = await oauthApp({ issuer: { issuer, jwks: { keys: [key.jwk] } } })
      expect(await outcome(await tokenOf(issuer))).toBe('200 granted')
      expect(await outcome(await tokenOf(`${issuer}/`))).toBe('401 wrong_issuer')
      expect(app.issuer.requests).toEqual([])
    },
  )

  test('with keys at a URL, and with an endpoint for its opaque tokens', async () => {
    app = await oauthApp(({ url }) => ({
      issuer: [
        { issuer: 'http://adfs.example.com/adfs/services/trust', jwksUri: `${url}/jwks` },
        {
          issuer: 'opaque-tokens',
          kind: 'opaque',
          introspection: { clientId: 'c', clientSecret: 's', endpoint: `${url}/introspect` },
        },
      ],
    }))
    app.issuer.keys = [key.jwk]
    expect(await outcome(await tokenOf('http://adfs.example.com/adfs/services/trust'))).toBe('200 granted')
    app.issuer.answer('/introspect', (_request, response) => void response.end('{"active":false}'))
    expect(await outcome('opaque')).toBe('401 inactive')
  })

  test.each([
    { issuer: 'http://auth.example.com' },
    { issuer: 'accounts.example.com', introspection: { clientId: 'c', clientSecret: 's' }, kind: 'opaque' as const },
    {
      issuer: 'urn:a',
      jwks: { keys: [{ kty: 'EC', crv: 'P-256', x: 'A', y: 'A' }] },
      introspection: { clientId: 'c', clientSecret: 's' },
    },
  ])('is looked for at its name otherwise, so it must be an https URL: %j', (issuer) => {
    expect(thrownBy({ issuer })).toMatch(/option "issuer.issuer" must be an https URL/)
  })

  test('is not in the metadata, where clients look for URLs; others can be named there', async () => {
    const at = '/.well-known/oauth-protected-resource/mcp'
    const issuer = { issuer: 'urn:example:issuer', jwks: { keys: [key.jwk] } }
    app = await oauthApp({ issuer, routes: (routes, gate) => routes.use(gate.metadata()) })
    expect((await app.get(undefined, at)).json).not.toHaveProperty('authorization_servers')
    expect(() => app?.gate.metadata({ authorizationServerRedirect: true })).toThrow(
      'needs "metadata.authorizationServers"',
    )
    await app.stop()
    const authorizationServers = ['https://auth.example.com']
    app = await oauthApp({ issuer, routes: (routes, gate) => routes.use(gate.metadata({ authorizationServers })) })
    expect((await app.get(undefined, at)).json.authorization_servers).toEqual(authorizationServers)
  })
})

/** A server as Keycloak is: a realm below a path, OpenID's place alone, and endpoints at the name that it is told. */
async function keycloak(frontend?: string): Promise<RunningServer & { readonly origin: string }> {
  other = await serve((request, response) => {
    const realm = `${frontend ?? origin}/realms/demo`
    const documents: Record<string, object> = {
      '/realms/demo/.well-known/openid-configuration': {
        issuer: realm,
        // As with `hostname-backchannel-dynamic`: at the name that the request came to.
        jwks_uri: `http://${request.headers.host}/realms/demo/protocol/openid-connect/certs`,
        introspection_endpoint: `http://${request.headers.host}/realms/demo/protocol/openid-connect/token/introspect`,
      },
      '/realms/demo/protocol/openid-connect/certs': { keys: [key.jwk] },
      '/realms/demo/protocol/openid-connect/token/introspect': { active: true },
    }
    const found = documents[request.url ?? '']
    response.writeHead(found === undefined ? 404 : 200, { 'content-type': 'application/json' })
    response.end(JSON.stringify(found ?? { error: 'HTTP 404 Not Found' }))
  })
  // To the gate this is an address like any other of a network; to the system it is this machine.
  const origin = `http://0.0.0.0:${other.port}`
  return { ...other, origin }
}

describe('http in a network of its own', () => {
  test('is refused, and with its exact origin in dangerouslyAllowHttp used, with one warning', async () => {
    const { origin } = await keycloak()
    const issuer = `${origin}/realms/demo`
    for (const dangerouslyAllowHttp of [undefined, [], ['http://0.0.0.0:1'], ['http://0.0.0.0']]) {
      expect(thrownBy({ issuer, dangerouslyAllowHttp })).toMatch(
        /"issuer" must be an https URL .*"dangerouslyAllowHttp"/,
      )
    }
    const { warnings, stop } = catchWarnings()
    const options = { issuer: { issuer, profile: 'relaxed' as const }, dangerouslyAllowHttp: [origin] }
    requireOAuthBearer({ resource: RESOURCE, ...options })
    app = await oauthApp(options)
    stop()
    const told = warnings.filter(({ code }) => code === 'COUNTERSIGN_OAUTH_HTTP')
    expect(told.map(({ message }) => message)).toEqual([expect.stringContaining(`contacts ${origin} over http`)])
    expect(await outcome(await tokenOf(issuer, { typ: 'Bearer', azp: 'web' }))).toBe('200 granted')
  })

  test.each(['http://a.test/', 'http://a.test/realms', 'https://a.test', 'a.test', 'http://A.test', 'ftp://a.test', 1])(
    '%j is no exact origin',
    (one) => {
      expect(thrownBy({ dangerouslyAllowHttp: [one] as string[] })).toMatch(/"dangerouslyAllowHttp" must be .*exact/)
    },
  )

  test('a blob: URL has the origin of the page that made it, and is none to ask', () => {
    const issuer = { issuer: 'https://a.test', jwksUri: 'blob:http://a.test/keys' }
    expect(thrownBy({ issuer, dangerouslyAllowHttp: ['http://a.test'] })).toMatch(
      /"issuer.jwksUri" must be an https URL/,
    )
  })

  test('metadata leads over http to those origins alone', async () => {
    let seen = 0
    const elsewhere = await serve((_request, response) => {
      seen += 1
      response.end('{}')
    })
    const { origin } = await keycloak()
    app = await oauthApp(({ url }) => ({ issuer: url, dangerouslyAllowHttp: [origin] }))
    app.issuer.metadata = { jwks_uri: `http://0.0.0.0:${elsewhere.port}/jwks` }
    expect(await outcome(await tokenOf(app.issuer.url))).toBe('503 keys')
    app.issuer.metadata = { jwks_uri: `${origin}/realms/demo/protocol/openid-connect/certs` }
    app.clock.advance(60_000)
    expect(await outcome(await tokenOf(app.issuer.url))).toBe('200 granted')
    expect(seen).toBe(0)
    await elsewhere.close()
  })

  test('an issuer with an external name is found at an internal address', async () => {
    const external = 'https://sso.example.com'
    const issuer = `${external}/realms/demo`
    const { origin } = await keycloak(external)
    const metadataUrl = `${origin}/realms/demo/.well-known/openid-configuration`
    app = await oauthApp({
      issuer: {
        issuer,
        metadataUrl,
        introspection: { clientId: 'c', clientSecret: 's', mode: 'always' },
      },
      dangerouslyAllowHttp: [origin],
      routes: (routes, gate) => routes.use(gate.metadata({ authorizationServerRedirect: true })),
    })
    expect(await outcome(await tokenOf(issuer))).toBe('200 granted')
    expect(await outcome(await tokenOf(`${origin}/realms/demo`))).toBe('401 wrong_issuer')
    // Clients are not sent into that network.
    const redirect = await app.get(undefined, '/.well-known/oauth-authorization-server')
    expect(redirect.headers.get('location')).toBe(`${issuer}/.well-known/openid-configuration`)
    expect((await app.get(undefined, '/.well-known/oauth-protected-resource')).json.authorization_servers).toEqual([
      issuer,
    ])
    await app.stop()
    app = await oauthApp({
      issuer: { issuer: `${external}/realms/other`, metadataUrl },
      dangerouslyAllowHttp: [origin],
    })
    expect(await outcome(await tokenOf(`${external}/realms/other`))).toBe('503 keys')
    expect(failure()).toBe('invalid issuer')
  })
})
