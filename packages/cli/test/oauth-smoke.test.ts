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
import express, { type Express, type RequestHandler } from 'express'
import { createRemoteJWKSet, jwtVerify } from 'jose'
import { z } from 'zod'
import { recordedAudit } from '../../../test/support/audit-recorder.js'
import { type RunningServer, serve } from '../../../test/support/http-server.js'
import { freePort } from '../../../test/support/redis-server.js'
import { type AuthorizationServer, startAuthorizationServer } from './authorization-server.js'
import { countersign, refuse, succeed } from './command.js'

interface Report {
  readonly ok: boolean
  readonly checks: readonly { readonly id: string; readonly status: string; readonly detail: string }[]
}

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

/** Serves an app that must know its own address. */
async function serveApp(create: (baseUrl: string) => Express): Promise<RunningServer> {
  let app: Express | undefined
  const running = await serve((request, response) => app?.(request, response))
  app = create(running.url)
  return running
}

/** The statuses of a report's checks; of the passed ones only that there are some. */
async function smoke(words: readonly string[], settings?: Parameters<typeof countersign>[1]) {
  const result = await countersign(['oauth', 'smoke', ...words, '--json'], settings)
  const { ok, checks } = JSON.parse(result.stdout) as Report
  expect(result.exitCode).toBe(ok ? 0 : 1)
  const withStatus = (status: string) => checks.filter((check) => check.status === status).map(({ id }) => id)
  return { ...result, checks, failed: withStatus('fail'), warned: withStatus('warn'), passed: withStatus('pass') }
}

describe('oauth smoke', () => {
  test("[cli-smoke-sdk-server] passes the MCP SDK's own server, in each era that it speaks", async () => {
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
        /✓ registration: a client can register itself\n✓ registration-removed: and it was removed again\n/,
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

  test('passes requireOAuthBearer, before an API and before a server of one era', async () => {
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

/** A resource whose every part can be broken. */
interface Broken {
  readonly status?: number
  readonly challenge?: (metadata: string) => string | undefined
  readonly metadata?: (document: Record<string, unknown>) => unknown
  readonly metadataType?: string
  readonly metadataStatus?: number
  readonly wellKnown?: Record<string, unknown>
  readonly server?: (document: Record<string, unknown>) => unknown
  readonly serverStatus?: number
  readonly jwks?: unknown
}

async function startBroken(broken: Broken): Promise<RunningServer> {
  return serveApp((baseUrl) => {
    const app = express()
    const advertised = `${baseUrl}/metadata`
    const { challenge = (metadata: string) => `Bearer resource_metadata="${metadata}"` } = broken
    app.all('/mcp', (request, response) => {
      const field = challenge(advertised)
      const isShown = request.headers.authorization !== undefined
      if (field !== undefined) response.set('WWW-Authenticate', isShown ? `${field}, error="invalid_token"` : field)
      response.status(broken.status ?? 401).end()
    })
    const document = {
      resource: `${baseUrl}/mcp`,
      authorization_servers: [`${baseUrl}/as`],
      bearer_methods_supported: ['header'],
      scopes_supported: ['mcp'],
    }
    const send =
      (status: number, type: string, body: unknown): RequestHandler =>
      (_request, response) => {
        response.set('Access-Control-Allow-Origin', '*').status(status).type(type)
        response.send(typeof body === 'string' ? body : JSON.stringify(body))
      }
    const meta = broken.metadata === undefined ? document : broken.metadata(document)
    app.get('/metadata', send(broken.metadataStatus ?? 200, broken.metadataType ?? 'application/json', meta))
    app.get(
      '/.well-known/oauth-protected-resource/mcp',
      broken.wellKnown === undefined
        ? send(broken.metadataStatus ?? 200, broken.metadataType ?? 'application/json', meta)
        : send(200, 'application/json', broken.wellKnown),
    )
    const issuer = {
      issuer: `${baseUrl}/as`,
      authorization_endpoint: `${baseUrl}/as/authorize`,
      token_endpoint: `${baseUrl}/as/token`,
      registration_endpoint: `${baseUrl}/as/register`,
      response_types_supported: ['code'],
      code_challenge_methods_supported: ['S256'],
      jwks_uri: `${baseUrl}/as/jwks`,
    }
    const about = broken.server === undefined ? issuer : broken.server(issuer)
    app.get('/.well-known/oauth-authorization-server/as', send(broken.serverStatus ?? 200, 'application/json', about))
    app.get(
      '/as/jwks',
      send(200, 'application/json', broken.jwks ?? { keys: [{ kty: 'RSA', kid: 'k1', n: 'x', e: 'AQAB' }] }),
    )
    app.post('/as/register', send(403, 'application/json', { error: 'access_denied' }))
    return app
  })
}

const without =
  (name: string) =>
  ({ [name]: _removed, ...rest }: Record<string, unknown>) =>
    rest
const changed = (change: Record<string, unknown>) => (document: Record<string, unknown>) => ({ ...document, ...change })

interface Fault extends Broken {
  readonly what: string
  readonly failed?: string
  readonly warned?: string
}

const BASIC = () => 'Basic realm="x"'
const challengeFaults: Fault[] = [
  { what: 'a request without a token is let in', status: 200, failed: 'unauthenticated made-up-token' },
  { what: 'the path is wrong', status: 404, failed: 'unauthenticated made-up-token' },
  { what: 'there is no challenge', challenge: () => undefined, failed: 'challenge', warned: 'made-up-token' },
  { what: 'the challenge is Basic', challenge: BASIC, failed: 'challenge', warned: 'made-up-token' },
  { what: 'the challenge has no grammar', challenge: () => 'Bearer "', failed: 'challenge', warned: 'made-up-token' },
  { what: 'it names no metadata', challenge: () => 'Bearer realm="x"', warned: 'challenge-metadata' },
  {
    what: 'it names the metadata by a path',
    challenge: () => 'Bearer resource_metadata="/metadata"',
    failed: 'challenge-metadata',
  },
  {
    what: 'Bearer comes second',
    challenge: (url) => `DPoP algs="ES256", Bearer resource_metadata="${url}"`,
    warned: 'challenge-order',
  },
]

/** After these nothing is known of an authorization server. */
const fatalFaults: Fault[] = [
  { what: 'the metadata is not there', metadataStatus: 404, failed: 'metadata' },
  { what: 'the metadata is HTML', metadataType: 'text/html', metadata: () => '<html>', failed: 'metadata' },
  { what: 'the metadata is no JSON', metadata: () => '{"resource":', failed: 'metadata' },
  { what: 'the metadata is a list', metadata: () => [], failed: 'metadata' },
  { what: 'no server is named', metadata: without('authorization_servers'), failed: 'metadata-servers' },
  { what: 'the servers are none', metadata: changed({ authorization_servers: [] }), failed: 'metadata-servers' },
  {
    what: 'a server is not https',
    metadata: changed({ authorization_servers: ['http://as.example.com'] }),
    failed: 'metadata-servers',
  },
]

const resource = (change: (own: string) => string) => (document: Record<string, unknown>) => ({
  ...document,
  resource: change(String(document.resource)),
})
const metadataFaults: Fault[] = [
  {
    what: 'the resource is another',
    metadata: resource(() => 'https://a.example.com/mcp'),
    failed: 'metadata-resource',
  },
  { what: 'it has a slash too many', metadata: resource((own) => `${own}/`), failed: 'metadata-resource' },
  { what: 'it is the origin', metadata: resource((own) => new URL(own).origin), warned: 'metadata-resource' },
  { what: 'it is missing', metadata: without('resource'), failed: 'metadata-resource' },
  {
    what: 'the well-known document differs',
    wellKnown: { resource: 'https://a.example.com' },
    failed: 'metadata-well-known',
  },
  {
    what: 'tokens are not taken in the header',
    metadata: changed({ bearer_methods_supported: ['body'] }),
    failed: 'metadata-methods',
  },
  {
    what: 'tokens are taken in the query',
    metadata: changed({ bearer_methods_supported: ['header', 'query'] }),
    warned: 'metadata-methods',
  },
  { what: 'the scopes are one text', metadata: changed({ scopes_supported: 'a b' }), failed: 'metadata-scopes' },
  {
    what: 'offline_access is a scope',
    metadata: changed({ scopes_supported: ['offline_access'] }),
    warned: 'metadata-scopes',
  },
]

const serverFaults: Fault[] = [
  { what: 'the server metadata is not there', serverStatus: 404, failed: 'server-metadata' },
  { what: 'the server metadata is no JSON', server: () => 'oops', failed: 'server-metadata' },
  { what: 'the issuer is another', server: changed({ issuer: 'https://as.example.com' }), failed: 'server-issuer' },
  { what: 'PKCE is missing', server: without('code_challenge_methods_supported'), failed: 'server-pkce' },
  {
    what: 'PKCE is plain alone',
    server: changed({ code_challenge_methods_supported: ['plain'] }),
    failed: 'server-pkce',
  },
  { what: 'there is no token endpoint', server: without('token_endpoint'), failed: 'server-endpoints' },
  {
    what: 'an endpoint is not https',
    server: changed({ authorization_endpoint: 'http://as.example.com/' }),
    failed: 'server-endpoints',
  },
  {
    what: 'the code flow is missing',
    server: changed({ response_types_supported: ['token'] }),
    failed: 'server-response-types',
  },
  { what: 'clients cannot register', server: without('registration_endpoint'), warned: 'server-registration' },
  {
    what: 'registration is at no URL',
    server: changed({ registration_endpoint: 7 }),
    failed: 'server-registration',
  },
  { what: 'the keys are empty', jwks: { keys: [] }, failed: 'server-keys' },
  { what: 'a private key is published', jwks: { keys: [{ kty: 'RSA', d: 'x' }] }, failed: 'server-keys' },
]

/** Faults of different parts do not hide each other, so one run of the command finds several. */
const runs: Fault[][] = [
  [],
  ...fatalFaults.map((fault, index) => [fault, ...challengeFaults.slice(index, index + 1)]),
  ...serverFaults.map((fault, index) => [
    fault,
    ...metadataFaults.slice(index, index + 1),
    // The last one needs its metadata to be as the challenge says.
    ...(index === serverFaults.length - 1 ? challengeFaults.slice(fatalFaults.length) : []),
  ]),
]

describe('oauth smoke, against what is broken', () => {
  test.each(runs.map((faults) => [faults.map(({ what }) => what).join('; ') || 'nothing', faults] as const))(
    '[cli-smoke-broken-metadata] %s',
    async (_what, faults) => {
      const running = await startBroken(Object.assign({}, ...faults))
      const named = (kind: 'failed' | 'warned') => faults.flatMap((fault) => fault[kind]?.split(' ') ?? []).sort()
      try {
        const { failed, warned, checks } = await smoke([`${running.url}/mcp`])
        expect({ failed: failed.sort(), warned: warned.sort() }).toEqual({
          failed: named('failed'),
          warned: named('warned'),
        })
        for (const { status, ...check } of checks) {
          if (status === 'fail' || status === 'warn') expect(check).toHaveProperty('remedy')
        }
      } finally {
        await running.close()
      }
    },
  )

  test('every fault is in a run', () => {
    expect(new Set(runs.flat()).size).toBe([challengeFaults, fatalFaults, metadataFaults, serverFaults].flat().length)
  })

  test('a registration that is refused, and a token that a server repeats', async () => {
    const token = 'a-token-that-the-server-repeats-in-its-answer'
    const running = await startBroken({
      challenge: (metadata) => `Bearer resource_metadata="${metadata}", scope="mcp ${token}"`,
      status: 401,
    })
    try {
      const registered = await smoke([`${running.url}/mcp`, '--register'])
      expect(registered.failed).toEqual(['registration'])
      const result = await smoke([`${running.url}/mcp`, '--api'], { env: { COUNTERSIGN_TOKEN: token } })
      expect(result.failed).toEqual(['token'])
      expect(`${result.stdout}${result.stderr}`).not.toContain(token)
    } finally {
      await running.close()
    }
  })
})

describe('what is wrong is said in one line', () => {
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

  test('[cli-bad-inputs] of a resource that is not there, of a token that is none, and before a token goes out in the clear', async () => {
    await refuse(
      ['oauth', 'smoke', `http://127.0.0.1:${await freePort()}/mcp`],
      3,
      /cannot be reached \(ECONNREFUSED\)/,
    )
    const token = { env: { COUNTERSIGN_TOKEN: 'abc' } }
    await refuse(['oauth', 'smoke', 'http://mcp.example.com/mcp'], 2, /over https only/, token)
    await refuse(['oauth', 'smoke', 'https://host/', '--token-file', '-'], 2, /characters that no token has/, {
      input: 'a b',
    })
  })
})
