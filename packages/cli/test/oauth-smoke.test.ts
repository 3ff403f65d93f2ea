import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { requireOAuthBearer } from '@countersign/oauth-bearer'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import {
  getOAuthProtectedResourceMetadataUrl,
  mcpAuthMetadataRouter,
  type OAuthTokenVerifier,
  requireBearerAuth,
} from '@modelcontextprotocol/express'
import { NodeStreamableHTTPServerTransport, toNodeHandler } from '@modelcontextprotocol/node'
import { createMcpHandler, McpServer, OAuthError, OAuthErrorCode } from '@modelcontextprotocol/server'
import express, { type RequestHandler } from 'express'
import { createRemoteJWKSet, jwtVerify } from 'jose'
import { z } from 'zod'
import { recordedAudit } from '../../../test/support/audit-recorder.js'
import { freePort } from '../../../test/support/redis-server.js'
import { type AuthorizationServer, startAuthorizationServer } from './authorization-server.js'
import { refuse, succeed } from './command.js'
import { serveApp, smoke } from './smoke-harness.js'

let server: AuthorizationServer
let folder: string
beforeAll(async () => {
  server = await startAuthorizationServer()
  folder = mkdtempSync(join(tmpdir(), 'countersign-cli-'))
})
afterAll(async () => {
  await server.close()
  rmSync(folder, { recursive: true, force: true })
})

function mcpServer(): McpServer {
  const mcp = new McpServer({ name: 'example', version: '1.2.3' })
  mcp.registerTool(
    'echo',
    { description: 'Echoes', inputSchema: z.object({ text: z.string() }) },
    async ({ text }) => ({
      content: [{ type: 'text', text }],
    }),
  )
  return mcp
}

describe('oauth smoke', () => {
  test.each(['', '/'])(
    'takes a resource at the root of a host for the one that was asked for: slash %j',
    async (slash) => {
      const running = await serveApp((baseUrl) => {
        const oauth = requireOAuthBearer({ resource: baseUrl, issuer: server.issuer, audit: recordedAudit().audit })
        return express().use(oauth.metadata(), oauth)
      })
      const { passed, warned } = await smoke([`${running.url}${slash}`, '--api'])
      expect(passed).toContain('metadata-resource')
      expect(warned).not.toContain('metadata-resource')
      await running.close()
    },
  )

  test("[cli-smoke-sdk-server] passes the MCP SDK's own server, in each version of the protocol", async () => {
    const keys = createRemoteJWKSet(new URL(String(server.metadata.jwks_uri)))
    const running = await serveApp((baseUrl) => {
      const resourceServerUrl = new URL(`${baseUrl}/mcp`)
      const verifier: OAuthTokenVerifier = {
        async verifyAccessToken(token) {
          const { payload } = await jwtVerify(token, keys, {
            issuer: server.issuer,
            audience: resourceServerUrl.href,
          }).catch(() => {
            throw new OAuthError(OAuthErrorCode.InvalidToken, 'The token is not valid')
          })
          const scopes = String(payload.scope).split(' ')
          return { token, clientId: String(payload.client_id), scopes, expiresAt: Number(payload.exp) }
        },
      }
      const app = express()
      app.use(
        mcpAuthMetadataRouter({ oauthMetadata: server.metadata as never, resourceServerUrl, scopesSupported: ['mcp'] }),
      )
      const resourceMetadataUrl = getOAuthProtectedResourceMetadataUrl(resourceServerUrl)
      const handler = toNodeHandler(createMcpHandler(mcpServer))
      app.all(
        '/mcp',
        express.json(),
        requireBearerAuth({ verifier, requiredScopes: ['mcp'], resourceMetadataUrl }),
        (request, response) => handler(request, response, request.body),
      )
      return app
    })
    try {
      const url = `${running.url}/mcp`
      const token = await server.accessToken(url)
      const file = join(folder, 'token')
      writeFileSync(file, `${token}\n`)
      const text = await succeed(['oauth', 'smoke', url, '--token-file', file, '--register'])
      expect(text).toMatch(
        /✓ initialize: initialize \(2025 era\): example 1\.2\.3\n✓ initialize-tools: tools\/list: 1 tool\n/,
      )
      expect(text).toMatch(
        /✓ discover: server\/discover \(2026-07-28 era\): example 1\.2\.3\n✓ discover-tools: tools\/list: 1 tool\n/,
      )
      expect(text).toMatch(
        /✓ registration: a client can register itself\n✓ registration-removed: the client was removed again\n/,
      )
      expect(text).toMatch(/, 0 failed, \d warnings?\n$/)
      expect(text).not.toContain(token)
      expect(server.clientCount()).toBe(0)
      const wrong = await smoke([url], {
        env: { COUNTERSIGN_TOKEN: await server.accessToken('https://other.example.com/') },
      })
      expect(wrong.failed).toEqual(['initialize', 'discover'])
      expect(wrong.checks.at(-1)).toMatchObject({
        detail: 'with the token the answer is 401 invalid_token',
        remedy: expect.stringMatching(/^The token is for "https:\/\/other\.example\.com\/": get one with resource=/),
      })
    } finally {
      await running.close()
    }
  }, 30_000)

  test('passes requireOAuthBearer before an API, and before a server of one protocol version', async () => {
    const { audit } = recordedAudit()
    const running = await serveApp((baseUrl) => {
      const app = express()
      const api = requireOAuthBearer({ resource: `${baseUrl}/api`, issuer: server.issuer, audit })
      const mcp = requireOAuthBearer({ resource: `${baseUrl}/mcp`, issuer: server.issuer, audit })
      app.use(mcp.metadata(), api.metadata())
      app.get('/api', api, (_request, response) => void response.json({ ok: true }))
      const legacy: RequestHandler = async (request, response) => {
        const transport = new NodeStreamableHTTPServerTransport({ sessionIdGenerator: undefined })
        await mcpServer().connect(transport)
        await transport.handleRequest(request, response, request.body)
      }
      app.all('/mcp', express.json(), mcp, legacy)
      return app
    })
    try {
      const api = await smoke([`${running.url}/api`, '--api', '--token-file', '-'], {
        input: await server.accessToken(`${running.url}/api`),
      })
      expect([api.failed, api.warned]).toEqual([[], []])
      expect(api.passed).toContain('token')
      const mcp = await smoke([`${running.url}/mcp`], {
        env: { COUNTERSIGN_TOKEN: await server.accessToken(`${running.url}/mcp`) },
      })
      expect(mcp.failed).toEqual([])
      expect(mcp.passed).toEqual(
        expect.arrayContaining(['metadata-resource', 'server-pkce', 'initialize', 'initialize-tools']),
      )
      expect(mcp.checks.at(-1)).toMatchObject({ id: 'discover', status: 'skip' })
    } finally {
      await running.close()
    }
  }, 30_000)
})

describe('errors are reported in one line', () => {
  test.each([
    [['nonsense'], /"nonsense" is not a URL/],
    [['ftp://host/'], /is not a URL/],
    [['https://host/mcp#x'], /no fragment/],
    [['https://host/mcp', '--token', 'abc'], /unknown option '--token'\. Secrets are not taken from the command line/],
    [['https://host/mcp', '--token-file', '/nowhere'], /the file of the token, \/nowhere, cannot be read/],
    [['https://host/mcp', '--timeout', 'soon'], /It must look like 90s/],
  ])('[cli-bad-inputs] oauth smoke %j', async (words, message) => {
    await refuse(['oauth', 'smoke', ...words], 2, message)
  })

  test('[cli-bad-inputs] for a resource that is down, a malformed token, and a token over http', async () => {
    await refuse(
      ['oauth', 'smoke', `http://127.0.0.1:${await freePort()}/mcp`],
      3,
      /cannot be reached \(ECONNREFUSED\)/,
    )
    const token = { env: { COUNTERSIGN_TOKEN: 'abc' } }
    await refuse(['oauth', 'smoke', 'http://mcp.example.com/mcp'], 2, /over https only/, token)
    await refuse(['oauth', 'smoke', 'https://host/', '--token-file', '-'], 2, /the token has invalid characters/, {
      input: 'a b',
    })
  })
})
