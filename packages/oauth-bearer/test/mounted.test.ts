import { AccessDeniedError, firstPresented, principalOf } from '@countersign/core'
import { asOAuthTokenVerifier } from '@countersign/core/mcp-sdk'
import { type OAuthBearerPrincipal, requireOAuthBearer } from '@countersign/oauth-bearer'
import { afterEach, describe, expect, test } from '@jest/globals'
import type { ErrorRequestHandler, Request, RequestHandler } from 'express'
import { type Harness, type HarnessOptions, oauthApp, RESOURCE } from './harness.js'

let app: Harness
afterEach(() => app.stop())
const decisions = () => app.events.filter(({ type }) => type.startsWith('access.'))
const told = () => decisions().map(({ reason }) => reason ?? 'granted')
const ok: RequestHandler = (request, response) => {
  response.json({ who: request.principal?.id ?? 'nobody', auth: (request as { auth?: unknown }).auth })
}

describe('gates of one origin on one request', () => {
  const start = async (options: HarnessOptions = {}) => {
    let asked = 0
    app = await oauthApp({
      isRevoked: () => {
        asked += 1
        return false
      },
      routes: (routes, gate) => {
        routes.use('/wide', gate)
        routes.get('/wide/write', gate.scopes('files:write'), ok)
        routes.get('/wide/read', gate.scopes('files:read'), gate.stepUp({ acr: ['urn:mfa'] }), ok)
        routes.get('/narrow-first', gate.scopes('files:write'), gate, ok)
        routes.get('/optional', gate.optional(), gate, gate.scopes('files:read'), ok)
        routes.get('/optional-last', gate.scopes('files:read'), gate.optional(), ok)
        routes.get('/composed', firstPresented(gate.scopes('files:read')), gate, ok)
      },
      ...options,
    })
    return () => asked
  }

  test('a wide gate on the router and a narrow one on the route: 403 that says what is needed, never 401', async () => {
    const asked = await start()
    const { status, headers } = await app.get(await app.token(), '/wide/write')
    expect(status).toBe(403)
    expect(headers.get('www-authenticate')).toContain('error="insufficient_scope"')
    expect(headers.get('www-authenticate')).toContain('scope="files:write files:read"')
    expect(told()).toEqual(['granted', 'insufficient_scope'])
    expect(decisions().at(-1)?.attributes).toMatchObject({ scopes_held: 'files:read', scopes_needed: 'files:write' })
    expect(asked()).toBe(1)
  })

  test.each(['/optional', '/optional-last', '/composed'])('verify once and make one event: %s', async (path) => {
    const asked = await start()
    expect((await app.get(await app.token(), path)).status).toBe(200)
    expect(told()).toEqual(['granted'])
    expect(asked()).toBe(1)
  })

  test('the narrow one refuses first, whatever follows', async () => {
    await start()
    expect((await app.get(await app.token(), '/narrow-first')).status).toBe(403)
    expect(told()).toEqual(['insufficient_scope'])
  })

  test('each demand is checked every time', async () => {
    await start()
    const token = await app.token({ claims: { acr: 'urn:mfa' } })
    expect((await app.get(token, '/wide/read')).status).toBe(200)
    expect(told()).toEqual(['granted'])
    expect((await app.get(await app.token(), '/wide/read')).status).toBe(401)
    expect(told().at(-1)).toBe('insufficient_authentication')
  })
})

describe('gates of two origins on one request', () => {
  test('verify separately, for their options may differ', async () => {
    const asked: string[] = []
    app = await oauthApp(({ url }, clock) => ({
      isRevoked: () => {
        asked.push('one')
        return false
      },
      routes: (routes, gate) => {
        const other = requireOAuthBearer({
          resource: RESOURCE,
          issuer: url,
          clock,
          isRevoked: () => {
            asked.push('other')
            return true
          },
        })
        routes.get('/both', gate, other, ok)
      },
    }))
    expect((await app.get(await app.token(), '/both')).status).toBe(401)
    expect(asked).toEqual(['one', 'other'])
  })
})

describe('a principal that no gate granted on this request', () => {
  test('is never believed: not on the request, not kept from an earlier one, not by a derived gate', async () => {
    let kept: unknown
    app = await oauthApp({
      routes: (routes, gate) => {
        const forged: RequestHandler = (request, _response, next) => {
          ;(request as { principal?: unknown }).principal = {
            kind: 'oauth-bearer',
            id: 'admin',
            scopes: ['files:write'],
          }
          next()
        }
        const replayed: RequestHandler = (request, _response, next) => {
          ;(request as { principal?: unknown }).principal = kept
          next()
        }
        routes.get('/keep', gate, (request, response) => {
          kept = request.principal
          response.json({})
        })
        routes.get('/forged', forged, gate.scopes('files:write'), ok)
        routes.get('/replayed', replayed, gate.scopes('files:read'), ok)
        routes.get('/forged-optional', forged, gate.optional(), ok)
        routes.get('/replayed-optional', replayed, gate.optional(), ok)
      },
    })
    const token = await app.token()
    await app.get(token, '/keep')
    expect((kept as OAuthBearerPrincipal).subject).toBe('u1')
    expect((await app.get(undefined, '/forged')).status).toBe(401)
    expect((await app.get(undefined, '/replayed')).status).toBe(401)
    expect((await app.get(undefined, '/forged-optional')).json.who).toBe('nobody')
    expect((await app.get(undefined, '/replayed-optional')).json.who).toBe('nobody')
    expect((await app.get(token, '/forged')).status).toBe(403)
  })
})

describe('a credential of another scheme', () => {
  test('is not meant for this gate, and only a scheme before a credential is written down', async () => {
    app = await oauthApp()
    const { gate } = app
    const presents = (authorization: string) =>
      gate.presents({ originalUrl: '/', rawHeaders: ['Authorization', authorization] } as unknown as Request)
    expect(['Basic dTpw', 'DPoP a.b.c', 'Digest username="a"'].map(presents)).toEqual([false, false, false])
    expect(['Bearer a', 'Bearer', 'bearer a b'].map(presents)).toEqual([true, true, true])
    for (const authorization of ['Basic', 'a-token-without-a-scheme', `${'x'.repeat(40)} a`]) {
      await app.get(authorization.includes(' ') ? authorization : `${authorization} `)
      expect(decisions().at(-1)?.attributes).toBeUndefined()
    }
  })
})

describe('req.auth', () => {
  test('is set by default, with the token, a new object for each gate', async () => {
    const seen: unknown[] = []
    const look: RequestHandler = (request, _response, next) => {
      seen.push((request as { auth?: unknown }).auth)
      next()
    }
    app = await oauthApp({
      routes: (routes, gate) => routes.get('/twice', gate, look, gate.scopes('files:read'), look, ok),
    })
    const token = await app.token()
    const { json } = await app.get(token, '/twice')
    expect(json.auth).toEqual({
      token,
      clientId: 'c1',
      scopes: ['files:read'],
      expiresAt: 1767225900,
      resource: RESOURCE,
      extra: {
        kind: 'oauth-bearer',
        clientId: 'c1',
        scopes: ['files:read'],
        expiresAt: 1767225900000,
        id: `${app.issuer.url}|u1`,
        issuer: app.issuer.url,
        subject: 'u1',
        claims: expect.objectContaining({ sub: 'u1' }),
        via: 'jwt',
      },
    })
    expect((seen[0] as { resource: unknown }).resource).toBeInstanceOf(URL)
    expect(Object.keys(seen[0] as object)).toEqual(expect.arrayContaining(['token', 'resource']))
    expect(seen[0]).toEqual(seen[1])
    expect(seen[0]).not.toBe(seen[1])
  })

  test('is left alone with attachAuthInfo: false, and after a refusal', async () => {
    const error: ErrorRequestHandler = (thrown, request, response, _next) => {
      response.json({
        isDenied: thrown instanceof AccessDeniedError,
        auth: (request as { auth?: unknown }).auth ?? null,
      })
    }
    app = await oauthApp({ onDenied: 'next', routes: (routes, gate) => routes.get('/x', gate, ok, error) })
    expect((await app.get('junk', '/x')).json).toEqual({ isDenied: true, auth: null })
    await app.stop()
    app = await oauthApp({
      attachAuthInfo: false,
      routes: (routes, gate) => {
        const own: RequestHandler = (request, _response, next) => {
          ;(request as { auth?: unknown }).auth = 'of another library'
          next()
        }
        routes.get('/own', own, gate, ok)
      },
    })
    expect((await app.get(await app.token(), '/own')).json.auth).toBe('of another library')
  })
})

describe('the adapter for the MCP SDK', () => {
  test('enforces the gate’s scopes and step-up, and hands over the token', async () => {
    app = await oauthApp({ scopes: ['files:read'] })
    const { gate } = app
    const token = await app.token()
    const verify = (of: Parameters<typeof asOAuthTokenVerifier>[0], text = token) =>
      asOAuthTokenVerifier(of).verifyAccessToken(text)
    expect(await verify(gate)).toMatchObject({ token, clientId: 'c1', scopes: ['files:read'] })
    expect(String((await verify(gate)).resource)).toBe(RESOURCE)
    const without = await app.token({ claims: { scope: 'other' } })
    await expect(verify(gate, without)).rejects.toMatchObject({ code: 'invalid_token' })
    await expect(verify(gate.scopes('files:write'))).rejects.toMatchObject({ code: 'invalid_token' })
    await expect(verify(gate.stepUp({ acr: ['urn:mfa'] }))).rejects.toMatchObject({ code: 'invalid_token' })
    expect(told()).toEqual([
      'granted',
      'granted',
      'insufficient_scope',
      'insufficient_scope',
      'insufficient_authentication',
    ])
    for (const { latencyMs } of decisions()) expect(latencyMs).toBeGreaterThanOrEqual(0)
  })
})

describe('what the app’s callbacks throw', () => {
  test.each([
    ['an error', new Error('down'), '503 verifier'],
    ['a bug', new TypeError('bug'), '500 internal_error'],
  ])('checkAudience throws %s', async (_name, thrown, expected) => {
    app = await oauthApp(({ url }) => ({
      issuer: {
        issuer: url,
        checkAudience: () => {
          throw thrown
        },
      },
    }))
    const { status } = await app.get(await app.token())
    expect(`${status} ${app.last()}`).toBe(expected)
    expect(decisions().at(-1)?.attributes).toMatchObject({ error: thrown.name, at: expect.any(String) })
  })

  test.each([
    ['resolves', () => Promise.resolve(true)],
    ['rejects', () => Promise.reject(new Error('down'))],
  ])('a checkAudience that %s is a bug, and ends no process', async (_name, answer) => {
    app = await oauthApp(({ url }) => ({ issuer: { issuer: url, checkAudience: answer as unknown as () => boolean } }))
    const { status } = await app.get(await app.token())
    expect(`${status} ${app.last()}`).toBe('500 internal_error')
    expect(decisions().at(-1)?.attributes).toMatchObject({ error: 'TypeError', at: expect.any(String) })
  })

  test('a key cache that fails is reported and not needed; a bug in it is one 500', async () => {
    const load = { error: new Error('down') as Error }
    const keyCache = { load: () => Promise.reject(load.error), save: () => Promise.reject(load.error) }
    app = await oauthApp({ keyCache })
    expect((await app.get(await app.token())).status).toBe(200)
    const reported = app.events.filter(({ type }) => type === 'oauth.keys.uncached')
    expect(reported.map(({ attributes }) => [attributes?.failure, attributes?.error])).toEqual([
      ['key_cache', 'Error'],
      ['key_cache', 'Error'],
    ])
    await app.stop()
    load.error = new TypeError('bug')
    app = await oauthApp({ keyCache })
    expect((await app.get(await app.token())).status).toBe(500)
    expect(app.last()).toBe('internal_error')
    expect((await app.get(await app.token())).status).toBe(200)
  })
})

test('principalOf finds the principal of a derived gate', async () => {
  app = await oauthApp({
    routes: (routes, gate) =>
      routes.get('/read', gate.scopes('files:read'), (request, response) => {
        response.json({ subject: principalOf(request, 'oauth-bearer').subject })
      }),
  })
  expect((await app.get(await app.token(), '/read')).json).toEqual({ subject: 'u1' })
})
