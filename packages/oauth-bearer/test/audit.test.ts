import { type AuditEvent, createAudit, UnavailableError } from '@countersign/core'
import { asOAuthTokenVerifier } from '@countersign/core/mcp-sdk'
import { afterEach, describe, expect, test } from '@jest/globals'
import { type Harness, oauthApp } from './harness.js'
import { makeKey } from './test-issuer.js'

let app: Harness
afterEach(() => app.stop())

const decisions = () => app.events.filter(({ type }) => type.startsWith('access.'))

describe('the audit', () => {
  test('gets one event for each decision, with what is known and only what is proven', async () => {
    app = await oauthApp({
      routes: (routes, gate) =>
        routes.get('/files/:id', gate.scopes('files:write'), (_q, response) => void response.end()),
    })
    const id = `${app.issuer.url}|u1`
    const attributes = { issuer: app.issuer.url }
    const table: [string | undefined, string, object][] = [
      [
        await app.token({ claims: { jti: 'j1' } }),
        '/',
        {
          type: 'access.granted',
          owasp: 'authn_login_success',
          principal: { kind: 'oauth-bearer', id },
          credential: { id: 'j1' },
          attributes: { ...attributes, via: 'jwt' },
        },
      ],
      [
        undefined,
        '/',
        { type: 'access.denied', reason: 'missing', principal: { kind: 'oauth-bearer', id: 'unknown' } },
      ],
      [
        await app.token({}, await makeKey('k1')),
        '/',
        {
          type: 'access.denied',
          reason: 'bad_signature',
          owasp: 'authn_login_fail',
          principal: { kind: 'oauth-bearer', id: 'unknown' },
          attributes,
        },
      ],
      [await app.token({ claims: { exp: 1 } }), '/', { reason: 'expired', attributes }],
      [await app.token({ claims: { iss: 'https://elsewhere.example.com' } }), '/', { reason: 'wrong_issuer' }],
      [
        await app.token(),
        '/files/7?x=1',
        {
          reason: 'insufficient_scope',
          owasp: 'authz_fail',
          principal: { kind: 'oauth-bearer', id },
          http: expect.objectContaining({ route: '/files/:id', status: 403, method: 'GET' }),
        },
      ],
    ]
    for (const [token, path, expected] of table) {
      app.events.length = 0
      await app.get(token, path)
      expect(decisions()).toHaveLength(1)
      expect(decisions()[0]).toMatchObject({ gate: 'oauth-bearer', ...expected })
      expect(decisions()[0]?.latencyMs).toBeGreaterThanOrEqual(0)
    }
  })

  test('gets one event for an outage of the keys, one for its end, and one for each rotation', async () => {
    app = await oauthApp()
    app.issuer.answer('/jwks', (_request, response) => void response.writeHead(500).end())
    for (let round = 0; round < 3; round += 1) {
      app.clock.advance(60_000)
      await app.get(await app.token())
    }
    const told = () => app.events.filter(({ type }) => type.startsWith('oauth.'))
    expect(told()).toHaveLength(1)
    expect(told()[0]).toMatchObject({
      type: 'oauth.keys.unavailable',
      attributes: { issuer: app.issuer.url, failure: 'status 500', stale_keys_used: false },
    })
    expect(decisions().map(({ type, reason }) => `${type} ${reason}`)).toEqual(Array(3).fill('access.unavailable keys'))
    app.issuer.answer('/jwks', undefined)
    app.clock.advance(60_000)
    await app.get(await app.token())
    const next = await makeKey('k2')
    app.issuer.keys = [next.jwk]
    await app.get(await app.token({}, next))
    expect(told().slice(1)).toMatchObject([
      { type: 'oauth.keys.recovered', attributes: { issuer: app.issuer.url } },
      { type: 'oauth.keys.rotated', attributes: { added: 1, removed: 1 } },
    ])
  })

  test('if a required sink fails, no request is granted', async () => {
    const audit = createAudit()
    audit.subscribe(
      () => {
        throw new Error('the disk is full')
      },
      { required: true },
    )
    app = await oauthApp({ audit })
    expect((await app.get(await app.token())).status).toBe(503)
  })

  test('if a required sink fails, the adapter for the MCP SDK grants nothing either', async () => {
    const audit = createAudit()
    const told: AuditEvent[] = []
    audit.subscribe((event) => void told.push(event))
    audit.subscribe(
      () => {
        throw new Error('the disk is full')
      },
      { required: true },
    )
    app = await oauthApp({ audit })
    const verifying = asOAuthTokenVerifier(app.gate).verifyAccessToken(await app.token())
    await expect(verifying).rejects.toMatchObject({ code: 'ERR_COUNTERSIGN_UNAVAILABLE' })
    expect(told.filter(({ type }) => type.startsWith('access.'))).toMatchObject([
      { type: 'access.unavailable', reason: 'audit_sink' },
    ])
  })

  test('gets one event for each decision of the adapter for the MCP SDK, also for a bug', async () => {
    let isBroken = false
    app = await oauthApp({
      isRevoked: () => {
        if (isBroken) throw new TypeError('bug')
        return false
      },
    })
    const verifier = asOAuthTokenVerifier(app.gate)
    const token = await app.token()
    await verifier.verifyAccessToken(token)
    await expect(verifier.verifyAccessToken('junk')).rejects.toMatchObject({ code: 'invalid_token' })
    isBroken = true
    await expect(verifier.verifyAccessToken(token)).rejects.toThrow('bug')
    expect(decisions().map(({ type, reason }) => [type, reason])).toEqual([
      ['access.granted', undefined],
      ['access.denied', 'malformed_token'],
      ['access.unavailable', 'internal_error'],
    ])
  })

  test('says in constant words why an endpoint could not be asked', async () => {
    app = await oauthApp(({ url }) => ({
      issuer: { issuer: url, introspection: { clientId: 'c', clientSecret: 's' } },
    }))
    app.issuer.metadata = { introspection_endpoint: `${app.issuer.url}/introspect` }
    app.issuer.answer(
      '/introspect',
      (_request, response) => void response.writeHead(401).end('{"error":"invalid_client"}'),
    )
    await app.get('opaque')
    expect(decisions().at(-1)).toMatchObject({
      type: 'access.unavailable',
      reason: 'introspection',
      attributes: { failure: 'status 401', issuer: app.issuer.url },
    })
    await app.stop()
    app = await oauthApp(({ url }) => ({
      issuer: { issuer: url, verify: () => Promise.reject(new UnavailableError('verifier', 'secret words')) },
    }))
    await app.get('opaque')
    expect(decisions().at(-1)).toMatchObject({ reason: 'verifier', attributes: { issuer: app.issuer.url } })
  })
})
