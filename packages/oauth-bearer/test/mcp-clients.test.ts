import type { Gate } from '@countersign/core'
import { asOAuthTokenVerifier } from '@countersign/core/mcp-sdk'
import { type OAuthBearerGate, requireOAuthBearer } from '@countersign/oauth-bearer'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals'
import { requireBearerAuth } from '@modelcontextprotocol/express'
import { InvalidTokenError } from '@modelcontextprotocol/sdk/server/auth/errors.js'
import { requireBearerAuth as requireBearerAuthV1 } from '@modelcontextprotocol/sdk/server/auth/middleware/bearerAuth.js'
import express from 'express'
import { recordedAudit } from '../../../test/support/audit-recorder.js'
import { type RunningServer, serve } from '../../../test/support/http-server.js'
import { MCP_CLIENTS, mcpSession } from './mcp-session.js'
import { mcpTools } from './mcp-tools.js'
import { type RealProvider, startProvider } from './provider.js'

let provider: RealProvider
let server: RunningServer
let gate: OAuthBearerGate
let statuses: number[]
let reasons: () => (string | undefined)[]
beforeAll(async () => {
  provider = await startProvider()
}, 30_000)
afterAll(() => provider.stop())

beforeEach(async () => {
  const recorded = recordedAudit()
  reasons = recorded.reasons
  statuses = []
  const app = express()
  server = await serve(app)
  gate = requireOAuthBearer({
    resource: `${server.url}/mcp`,
    issuer: provider.issuer,
    scopes: ['mcp'],
    attachAuthInfo: true,
    audit: recorded.audit,
  })
  const write = gate.scopes('files:write')
  app.use((_request, response, next) => {
    response.on('finish', () => void statuses.push(response.statusCode))
    next()
  })
  app.use(gate.metadata({ scopesSupported: ['mcp'] }))
  app.all('/mcp', express.json(), gate, (request, response, next) =>
    request.body?.params?.name === 'write_file' ? write(request, response, next) : next(),
  )
  app.all('/mcp', mcpTools())
})
afterEach(() => server.close())

describe('MCP clients', () => {
  test.each(Object.keys(MCP_CLIENTS))(
    '[oauth-mcp-clients] %s: 401, metadata, authorization, token, tool, 403, step-up, tool, and again after a rotation',
    async (name) => {
      const start = () => mcpSession(name, `${server.url}/mcp`)
      const session = start()
      const { store } = session
      try {
        // 401 → metadata → authorization
        await expect(session.connect()).rejects.toThrow(/unauthorized/i)
        expect(store.sent).toHaveLength(1)
        const asked = store.sent[0]?.searchParams
        expect(asked?.get('resource')).toBe(`${server.url}/mcp`)
        expect(asked?.get('scope')).toBe('mcp')
        expect(asked?.get('code_challenge_method')).toBe('S256')
        await session.authorize()

        // token → tool
        await session.connect()
        expect(await session.call('read_file')).toBe('read_file for u1')
        expect(store.sent).toHaveLength(1)

        // 403 → step-up → tool
        await expect(session.call('write_file')).rejects.toThrow(/unauthorized/i)
        expect(store.sent).toHaveLength(2)
        expect(new Set(store.sent[1]?.searchParams.get('scope')?.split(' '))).toEqual(new Set(['mcp', 'files:write']))
        await session.authorize()
        expect(await session.call('write_file')).toBe('write_file for u1')
        expect(await session.call('read_file')).toBe('read_file for u1')
        expect(store.sent).toHaveLength(2)

        // The issuer signs with another key now: a client with a token notices nothing.
        await provider.rotate(true)
        expect(await session.call('write_file')).toBe('write_file for u1')
        await session.connect()
        expect(await session.call('read_file')).toBe('read_file for u1')
        expect(store.sent).toHaveLength(2)

        // A new client gets a token of the new key.
        const other = start()
        await expect(other.connect()).rejects.toThrow(/unauthorized/i)
        await other.authorize()
        await other.connect()
        expect(await other.call('read_file')).toBe('read_file for u1')
        expect(other.store.sent).toHaveLength(1)
        await other.close()
        expect(await session.call('write_file')).toBe('write_file for u1')
        expect(store.sent).toHaveLength(2)

        expect(statuses.filter((status) => status === 401)).toHaveLength(2)
        expect(statuses.filter((status) => status === 403)).toHaveLength(1)
        expect(statuses.filter((status) => status >= 500)).toHaveLength(0)
        expect(new Set(reasons())).toEqual(new Set(['missing', undefined, 'insufficient_scope']))
      } finally {
        await session.close()
      }
    },
    60_000,
  )

  test.each(Object.keys(MCP_CLIENTS))(
    '[oauth-step-up-keeps] of %s are sent once for each scope: a step-up for one tool does not lose that of another',
    async (name) => {
      const app = express()
      const two = await serve(app)
      const oauth = requireOAuthBearer({ resource: `${two.url}/mcp`, issuer: provider.issuer, scopes: ['mcp'] })
      const needed: Record<string, Gate> = {
        read_file: oauth.scopes('files:read'),
        write_file: oauth.scopes('files:write'),
      }
      app.use(oauth.metadata({ scopesSupported: ['mcp'] }))
      app.all('/mcp', oauth, express.json(), (request, response, next) => {
        const more = needed[request.body?.params?.name]
        if (more === undefined) next()
        else more(request, response, next)
      })
      app.all('/mcp', mcpTools())
      const session = mcpSession(name, `${two.url}/mcp`)
      await expect(session.connect()).rejects.toThrow(/unauthorized/i)
      await session.authorize()
      await session.connect()
      for (const tool of ['write_file', 'read_file']) {
        await expect(session.call(tool)).rejects.toThrow(/unauthorized/i)
        await session.authorize()
        expect(await session.call(tool)).toBe(`${tool} for u1`)
      }
      expect(await session.call('write_file')).toBe('write_file for u1')
      expect(await session.call('read_file')).toBe('read_file for u1')
      expect(session.store.sent).toHaveLength(3)
      await session.close()
      await two.close()
    },
    60_000,
  )

  test.each(Object.keys(MCP_CLIENTS))(
    'of %s keep their token through an outage of the keys: the answer is 503, without a new authorization',
    async (name) => {
      const session = mcpSession(name, `${server.url}/mcp`)
      await expect(session.connect()).rejects.toThrow(/unauthorized/i)
      await session.authorize()
      await provider.fault('/jwks', '500')
      try {
        // This gate has never seen a key.
        await expect(session.connect()).rejects.toThrow()
        expect(statuses.at(-1)).toBe(503)
      } finally {
        await provider.fault('/jwks', null)
      }
      expect(session.store.sent).toHaveLength(1)
      expect(session.store.kept.tokens).toBeDefined()
      // The circuit lets the next one through after a second.
      let isIn = false
      while (!isIn) {
        isIn = await session.connect().then(
          () => true,
          () => new Promise<boolean>((resolve) => setTimeout(() => resolve(false), 100)),
        )
      }
      expect(await session.call('read_file')).toBe('read_file for u1')
      expect(session.store.sent).toHaveLength(1)
      await session.close()
    },
    60_000,
  )
})

describe("the MCP SDK's own middleware", () => {
  const own = {
    'v2, @modelcontextprotocol/express': () => requireBearerAuth({ verifier: asOAuthTokenVerifier(gate) }),
    'v1, @modelcontextprotocol/sdk': () =>
      requireBearerAuthV1({
        verifier: asOAuthTokenVerifier(gate, { invalidToken: (message) => new InvalidTokenError(message) }),
      }),
  }

  test.each(Object.keys(own) as (keyof typeof own)[])('%s verifies with this gate', async (name) => {
    const app = express()
    app.use(own[name](), (request, response) => void response.json((request as { auth?: object }).auth))
    const guarded = await serve(app)
    const get = (token: string) => fetch(guarded.url, { headers: { authorization: `Bearer ${token}` } })
    const token = await provider.machineToken(`${server.url}/mcp`, 'mcp')

    const granted = await get(token)
    expect(granted.status).toBe(200)
    const auth = (await granted.json()) as { expiresAt: number }
    expect(auth).toMatchObject({
      token,
      clientId: 'machine',
      scopes: ['mcp'],
      resource: `${server.url}/mcp`,
      extra: { issuer: provider.issuer },
    })
    expect(auth.expiresAt).toBeGreaterThan(Date.now() / 1000)

    const refused = await get(`${token}x`)
    expect(refused.status).toBe(401)
    expect(refused.headers.get('www-authenticate')).toContain('error="invalid_token"')
    expect((await get(await provider.machineToken('https://other.example.com/mcp'))).status).toBe(401)
    expect((await get('a'.repeat(9000))).status).toBe(401)
    expect(reasons()).toEqual([undefined, 'malformed_token', 'wrong_audience', 'malformed'])
    await guarded.close()
  })

  test('an outage rejects with UnavailableError, and what is not a gate is refused', async () => {
    const cold = requireOAuthBearer({ resource: `${server.url}/mcp`, issuer: provider.issuer })
    await provider.fault('/jwks', 'reset')
    try {
      const token = await provider.machineToken(`${server.url}/mcp`, 'mcp')
      await expect(asOAuthTokenVerifier(cold).verifyAccessToken(token)).rejects.toMatchObject({
        code: 'ERR_COUNTERSIGN_UNAVAILABLE',
        retryAfterSeconds: 1,
      })
    } finally {
      await provider.fault('/jwks', null)
    }
    expect(() => asOAuthTokenVerifier({} as OAuthBearerGate)).toThrow(/must be a gate made by requireOAuthBearer/)
  })
})
