import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { type Harness, oauthApp } from './harness.js'

let app: Harness
beforeAll(async () => {
  app = await oauthApp({
    attachAuthInfo: true,
    routes: (routes, gate) => {
      routes.use(gate.metadata())
      routes.get('/write', gate, gate.scopes('files:write'), (_request, response) => {
        response.json({})
      })
    },
  })
})
afterAll(() => app.stop())

describe('one line of configuration', () => {
  test('a token for this resource is granted, with its principal', async () => {
    const { status, json } = await app.get(await app.token({ claims: { jti: 'j1' } }))
    expect(status).toBe(200)
    expect(json.principal).toEqual({
      kind: 'oauth-bearer',
      id: `${app.issuer.url}|u1`,
      issuer: app.issuer.url,
      subject: 'u1',
      clientId: 'c1',
      scopes: ['files:read'],
      expiresAt: 1767225900000,
      claims: {
        iss: app.issuer.url,
        aud: 'https://mcp.example.com/mcp',
        sub: 'u1',
        client_id: 'c1',
        iat: 1767225600,
        exp: 1767225900,
        jti: 'j1',
        scope: 'files:read',
      },
      via: 'jwt',
    })
  })

  test('without a token the challenge names realm and metadata, and no error', async () => {
    const { status, headers, json } = await app.get()
    expect(status).toBe(401)
    expect(headers.get('www-authenticate')).toBe(
      'Bearer realm="mcp.example.com", resource_metadata="https://mcp.example.com/.well-known/oauth-protected-resource/mcp"',
    )
    expect(json).toEqual({ type: 'about:blank', title: 'Unauthorized', status: 401 })
    expect(app.last()).toBe('missing')
  })

  test('a token for another resource is refused', async () => {
    const { status, headers } = await app.get(await app.token({ claims: { aud: 'https://other.example.com' } }))
    expect(status).toBe(401)
    expect(headers.get('www-authenticate')).toContain('error="invalid_token"')
    expect(app.last()).toBe('wrong_audience')
  })

  test('a missing scope is named', async () => {
    const { status, headers } = await app.get(await app.token(), '/write')
    expect(status).toBe(403)
    expect(headers.get('www-authenticate')).toContain('error="insufficient_scope"')
    expect(headers.get('www-authenticate')).toContain('scope="files:write"')
    expect(app.last()).toBe('insufficient_scope')
    expect((await app.get(await app.token({ claims: { scope: 'files:write' } }), '/write')).status).toBe(200)
  })
})
