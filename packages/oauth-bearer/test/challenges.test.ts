import { firstPresented } from '@countersign/core'
import { afterEach, describe, expect, test } from '@jest/globals'
import { type Harness, oauthApp } from './harness.js'
import { makeKey } from './test-issuer.js'

let app: Harness
afterEach(() => app.stop())

const INVALID = 'error="invalid_token", error_description="The access token is not valid for this resource"'

describe('challenges', () => {
  test('name the metadata only if it is served here, or configured to be elsewhere', async () => {
    app = await oauthApp()
    expect((await app.get()).headers.get('www-authenticate')).toBe('Bearer realm="mcp.example.com"')
    await app.stop()
    app = await oauthApp({ realm: 'files', resourceMetadataUrl: 'https://meta.example.com/mcp' })
    expect((await app.get('junk')).headers.get('www-authenticate')).toBe(
      `Bearer realm="files", ${INVALID}, resource_metadata="https://meta.example.com/mcp"`,
    )
  })

  test('name all scopes that an operation needs, at 401 and at 403', async () => {
    app = await oauthApp({
      scopes: ['mcp'],
      routes: (routes, gate) => {
        routes.get('/write', gate.scopes('files:write', 'files:read'), (_request, response) => void response.end())
      },
    })
    expect((await app.get()).headers.get('www-authenticate')).toBe('Bearer realm="mcp.example.com", scope="mcp"')
    expect((await app.get(undefined, '/write')).headers.get('www-authenticate')).toBe(
      'Bearer realm="mcp.example.com", scope="mcp files:write files:read"',
    )
    const { status, headers, json } = await app.get(await app.token({ claims: { scope: 'files:read' } }), '/write')
    expect(status).toBe(403)
    expect(headers.get('www-authenticate')).toBe(
      'Bearer realm="mcp.example.com", error="insufficient_scope", ' +
        'error_description="The access token lacks a scope that is needed here", scope="mcp files:write files:read"',
    )
    expect(json).toEqual({
      type: 'about:blank',
      title: 'Forbidden',
      status: 403,
      error: 'insufficient_scope',
      error_description: 'The access token lacks a scope that is needed here',
    })
    expect(app.events.at(-1)).toMatchObject({
      reason: 'insufficient_scope',
      owasp: 'authz_fail',
      principal: { kind: 'oauth-bearer', id: `${app.issuer.url}|u1` },
    })
  })

  test('[oauth-step-up-keeps] a 403 names the scopes that the token has for other operations, too, and no others', async () => {
    app = await oauthApp({
      scopes: ['mcp'],
      scopeImplies: { admin: ['files:read'] },
      routes: (routes, gate) => {
        routes.use(gate.metadata({ scopesSupported: ['mcp', 'reports'] }))
        routes.get('/read', gate.scopes('files:read'), (_request, response) => void response.end())
        routes.get('/write', gate.scopes('files:write'), (_request, response) => void response.end())
        routes.get('/pay', gate.stepUp({ acr: ['urn:mfa'] }), (_request, response) => void response.end())
      },
    })
    const scopeFor = async (path: string, scope: string) => {
      const { headers } = await app.get(await app.token({ claims: { scope } }), path)
      return /scope="([^"]*)"/.exec(headers.get('www-authenticate') ?? '')?.[1]
    }
    expect(await scopeFor('/write', 'mcp files:read')).toBe('mcp files:write files:read')
    expect(await scopeFor('/write', 'admin mcp reports openid offline_access other')).toBe(
      'mcp files:write admin reports',
    )
    expect(await scopeFor('/write', 'openid')).toBe('mcp files:write')
    expect(await scopeFor('/pay', 'mcp files:read')).toBe('mcp files:read')
    // Nothing of a token that is not proven.
    const forged = await app.token({ claims: { scope: 'files:read' } }, await makeKey('k1'))
    const { headers } = await app.get(forged, '/write')
    expect(headers.get('www-authenticate')).toContain('scope="mcp files:write"')
  })

  test('scopes imply others, through any number of steps, and never the other way', async () => {
    app = await oauthApp({
      scopeImplies: { admin: ['files:write'], 'files:write': ['files:read'], a: ['b'], b: ['a'] },
      routes: (routes, gate) => {
        for (const [index, scope] of ['files:read', 'files:write', 'admin', 'a'].entries())
          routes.get(`/needs${index}`, gate.scopes(scope), (_request, response) => void response.end())
      },
    })
    const allowed = async (scope: string) => {
      const token = await app.token({ claims: { scope } })
      const paths = ['/needs0', '/needs1', '/needs2', '/needs3']
      return Promise.all(paths.map(async (path) => (await app.get(token, path)).status))
    }
    expect(await allowed('admin')).toEqual([200, 200, 200, 403])
    expect(await allowed('files:write')).toEqual([200, 200, 403, 403])
    expect(await allowed('files:read')).toEqual([200, 403, 403, 403])
    expect(await allowed('b')).toEqual([403, 403, 403, 200])
    expect(await allowed('files')).toEqual([403, 403, 403, 403])
    expect(await allowed('files:write:x')).toEqual([403, 403, 403, 403])
  })

  test('every unproven token gets one answer, byte for byte', async () => {
    app = await oauthApp()
    const tokens = ['junk', await app.token({ claims: { exp: 1 } }), await app.token({ claims: { aud: 'x' } })]
    const answers = await Promise.all(tokens.map((token) => app.get(token)))
    const faces = answers.map(({ text, headers }) => `${text} ${headers.get('www-authenticate')}`)
    expect(new Set(faces).size).toBe(1)
    expect(answers[0]?.json).toEqual({
      type: 'about:blank',
      title: 'Unauthorized',
      status: 401,
      error: 'invalid_token',
      error_description: 'The access token is not valid for this resource',
    })
  })

  test('can be read by scripts of other origins, together with what the app exposes', async () => {
    app = await oauthApp()
    app.app.set('x', 1)
    expect((await app.get()).headers.get('access-control-expose-headers')).toBe(
      'WWW-Authenticate, DPoP-Nonce, Retry-After',
    )
    await app.stop()
    app = await oauthApp({
      routes: (routes) => {
        routes.use((_request, response, next) => {
          response.setHeader('Access-Control-Expose-Headers', 'X-Request-Id, www-authenticate')
          next()
        })
      },
    })
    expect((await app.get('junk')).headers.get('access-control-expose-headers')).toBe(
      'X-Request-Id, www-authenticate, DPoP-Nonce, Retry-After',
    )
  })

  test('are first in composed gates, whatever their order', async () => {
    app = await oauthApp({
      legacy: { tokens: { a: 'a-token-of-sixteen-characters' }, until: '2027-01-01T00:00:00Z' },
      routes: (routes, gate) =>
        routes.get('/either', firstPresented(gate), (_request, response) => void response.end()),
    })
    expect((await app.get(undefined, '/either')).headers.get('www-authenticate')).toBe(
      'Bearer realm="mcp.example.com", Token realm="mcp.example.com"',
    )
  })
})

describe('[oauth-step-up] step-up', () => {
  const start = async (options: Parameters<Harness['gate']['stepUp']>[0]) => {
    app = await oauthApp({
      routes: (routes, gate) =>
        routes.get('/pay', gate, gate.stepUp(options), (_request, response) => void response.end()),
    })
  }
  const pay = async (claims: Record<string, unknown>) => {
    const { status } = await app.get(await app.token({ claims }), '/pay')
    return `${status} ${app.last()}`
  }
  const REFUSED = '401 insufficient_authentication'

  test('requires a class of authentication, or a recent one, and says which', async () => {
    await start({ acr: ['urn:mfa', 'urn:hardware'], maxAuthAgeSeconds: 300 })
    const { status, headers, json } = await app.get(await app.token(), '/pay')
    expect(status).toBe(401)
    expect(headers.get('www-authenticate')).toBe(
      'Bearer realm="mcp.example.com", error="insufficient_user_authentication", ' +
        'error_description="A stronger or more recent authentication of the user is needed here", ' +
        'acr_values="urn:mfa urn:hardware", max_age="300"',
    )
    expect(json.error).toBe('insufficient_user_authentication')
    const now = Math.floor(app.clock.now() / 1000)
    expect(await pay({ acr: 'urn:mfa', auth_time: now - 300 })).toBe('200 granted')
    expect(await pay({ acr: 'urn:hardware', auth_time: now - 305 })).toBe('200 granted')
    expect(await pay({ acr: 'urn:hardware', auth_time: now - 306 })).toBe(REFUSED)
    expect(await pay({ acr: 'urn:password', auth_time: now })).toBe(REFUSED)
    expect(await pay({ acr: 'urn:mfa' })).toBe(REFUSED)
    expect(await pay({ acr: ['urn:mfa'], auth_time: now })).toBe(REFUSED)
    expect(await pay({ acr: 'urn:mfa', auth_time: String(now) })).toBe(REFUSED)
  })

  test('is checked on every request: what was recent does not stay recent', async () => {
    await start({ maxAuthAgeSeconds: 60 })
    const now = Math.floor(app.clock.now() / 1000)
    const token = await app.token({ claims: { auth_time: now } })
    expect((await app.get(token, '/pay')).status).toBe(200)
    app.clock.advance(66_000)
    expect((await app.get(token, '/pay')).status).toBe(401)
    expect((await app.get(token)).status).toBe(200)
  })

  test('reports a missing scope first', async () => {
    await start({ acr: ['urn:mfa'], scopes: ['pay'] })
    expect(await pay({})).toBe('403 insufficient_scope')
    expect(await pay({ scope: 'pay' })).toBe(REFUSED)
    expect(await pay({ scope: 'pay', acr: 'urn:mfa' })).toBe('200 granted')
  })
})
