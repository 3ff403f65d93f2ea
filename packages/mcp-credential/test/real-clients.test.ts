import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { asOAuthTokenVerifier } from '@countersign/core/mcp-sdk'
import {
  createMcpCredentials,
  type McpCredentials,
  requireMcpCredential,
  toClientConfig,
} from '@countersign/mcp-credential'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { Client as ClientV2, StreamableHTTPClientTransport as TransportV2 } from '@modelcontextprotocol/client'
import { requireBearerAuth as requireBearerAuthV2 } from '@modelcontextprotocol/express'
import { toNodeHandler } from '@modelcontextprotocol/node'
import { Client as ClientV1 } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport as TransportV1 } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { InvalidTokenError } from '@modelcontextprotocol/sdk/server/auth/errors.js'
import { requireBearerAuth as requireBearerAuthV1 } from '@modelcontextprotocol/sdk/server/auth/middleware/bearerAuth.js'
import { McpServer as ServerV1 } from '@modelcontextprotocol/sdk/server/mcp.js'
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js'
import { isInitializeRequest } from '@modelcontextprotocol/sdk/types.js'
import { createMcpHandler, McpServer as ServerV2 } from '@modelcontextprotocol/server'
import express, { type Express, type RequestHandler } from 'express'
import { z } from 'zod'
import { recordedAudit } from '../../../test/support/audit-recorder.js'
import { type RunningServer, serve } from '../../../test/support/http-server.js'
import { agent } from './harness.js'

const TOOLS = { 'preview_*': 'preview', admin_reset: 'admin' }
let running: RunningServer
let credentials: McpCredentials
let authorizationHeader: string
const sessions = new Map<string, StreamableHTTPServerTransport>()

/** A stateful server of SDK v1, as its documentation has it: legacy sessions, SSE on GET. */
function serverV1(): RequestHandler {
  return async (request, response) => {
    const id = request.headers['mcp-session-id']
    let transport = typeof id === 'string' ? sessions.get(id) : undefined
    if (transport === undefined && isInitializeRequest(request.body)) {
      const made: StreamableHTTPServerTransport = new StreamableHTTPServerTransport({
        sessionIdGenerator: () => crypto.randomUUID(),
        onsessioninitialized: (session) => void sessions.set(session, made),
      })
      transport = made
      const server = new ServerV1({ name: 'v1', version: '1.0.0' })
      server.registerTool('preview_open', { inputSchema: { page: z.string() } }, async ({ page }, extra) => ({
        content: [{ type: 'text', text: `${page} for ${extra.authInfo?.clientId} ${extra.authInfo?.extra?.threadId}` }],
      }))
      server.registerTool('admin_reset', {}, async () => ({ content: [{ type: 'text', text: 'reset' }] }))
      await server.connect(made as Parameters<typeof server.connect>[0])
    }
    if (transport === undefined) return void response.status(404).end()
    await transport.handleRequest(request as Parameters<typeof transport.handleRequest>[0], response, request.body)
  }
}

function serverV2(): RequestHandler {
  const handler = toNodeHandler(
    createMcpHandler(() => {
      const server = new ServerV2({ name: 'v2', version: '1.0.0' })
      server.registerTool(
        'preview_open',
        { description: 'Opens', inputSchema: z.object({ page: z.string() }) },
        async ({ page }, context) => ({
          content: [
            { type: 'text', text: `${page} for ${context.http?.authInfo?.clientId} ${context.http?.authInfo?.token}` },
          ],
        }),
      )
      server.registerTool('admin_reset', { description: 'Resets', inputSchema: z.object({}) }, async () => ({
        content: [{ type: 'text', text: 'reset' }],
      }))
      return server
    }),
  )
  return (request, response) => handler(request, response, request.body)
}

beforeAll(async () => {
  const { audit } = recordedAudit()
  credentials = createMcpCredentials({ audit })
  const gate = requireMcpCredential({ credentials, tools: TOOLS, audit, denyAs: 'jsonrpc' })
  const app: Express = express()
  app.use(express.json())
  app.all('/v1', gate, serverV1())
  app.all('/v2', gate, serverV2())
  const lone = requireMcpCredential({ credentials, audit, bindSessions: false })
  const v1 = asOAuthTokenVerifier(lone, { invalidToken: (message) => new InvalidTokenError(message) })
  const v2 = asOAuthTokenVerifier(lone)
  app.all('/v1-own', requireBearerAuthV1({ verifier: v1 }), serverV1())
  app.all('/v2-own', requireBearerAuthV2({ verifier: v2 }), serverV2())
  running = await serve(app)
  authorizationHeader = (await credentials.issue(agent)).authorizationHeader
})
afterAll(async () => {
  await running.close()
  await credentials.close()
})

const textOf = (result: unknown) => (result as { content?: { text?: string }[] }).content?.[0]?.text

describe.each(['v1', 'v2'] as const)('a server of SDK %s', (server) => {
  test('[mcp-real-clients] the transport of SDK v1 lists and calls tools, and learns why it may not', async () => {
    const client = new ClientV1({ name: 'agent', version: '1.0.0' })
    const requestInit = { headers: { Authorization: authorizationHeader } }
    const transport = new TransportV1(new URL(`${running.url}/${server}`), { requestInit })
    await client.connect(transport as Parameters<typeof client.connect>[0])
    expect((await client.listTools()).tools.map(({ name }) => name).sort()).toEqual(['admin_reset', 'preview_open'])
    const opened = await client.callTool({ name: 'preview_open', arguments: { page: 'index.html' } })
    expect(textOf(opened)).toMatch(/^index\.html for p1 /)
    expect(textOf(opened)).not.toContain(authorizationHeader.slice(-49))
    await expect(client.callTool({ name: 'admin_reset', arguments: {} })).rejects.toThrow(
      'This session may not use that tool. Continue without it.',
    )
    await client.close()
  })

  test('[mcp-real-clients] the transport of SDK v2 does too, configured by toClientConfig', async () => {
    const issued = await credentials.issue({ ...agent, threadId: `${server}-v2` })
    const { config } = toClientConfig(issued, 'sdk', { url: `${running.url}/${server}`, serverName: 'app' })
    const { url, requestInit } = config as { url: string; requestInit: RequestInit }
    const client = new ClientV2({ name: 'agent', version: '1.0.0' })
    await client.connect(new TransportV2(new URL(url), { requestInit }))
    expect((await client.listTools()).tools.map(({ name }) => name).sort()).toEqual(['admin_reset', 'preview_open'])
    expect(textOf(await client.callTool({ name: 'preview_open', arguments: { page: 'a' } }))).toMatch(/^a for p1 /)
    await expect(client.callTool({ name: 'admin_reset', arguments: {} })).rejects.toThrow('may not use that tool')
    await issued.revoke()
    await expect(client.callTool({ name: 'preview_open', arguments: { page: 'a' } })).rejects.toThrow()
    await client.close()
  })
})

test('a client of SDK v2 learns that something between changed the name of its tool', async () => {
  const issued = await credentials.issue({ ...agent, threadId: 'mismatch' })
  const client = new ClientV2({ name: 'agent', version: '1.0.0' }, { versionNegotiation: { mode: 'auto' } })
  const rewriting = async (input: string | URL, init?: RequestInit) => {
    const headers = new Headers(init?.headers)
    if (headers.get('mcp-method') === 'tools/call') headers.set('mcp-name', 'preview_close')
    return fetch(input, { ...init, headers })
  }
  const requestInit = { headers: { Authorization: issued.authorizationHeader } }
  await client.connect(new TransportV2(new URL(`${running.url}/v2`), { requestInit, fetch: rewriting }))
  await expect(client.callTool({ name: 'preview_open', arguments: { page: 'a' } })).rejects.toMatchObject({
    code: -32020,
    message: 'Mcp-Method and Mcp-Name must match the body',
  })
  await client.close()
})

test('[mcp-stream-ends] the open stream of a client of SDK v1 ends on revocation', async () => {
  const issued = await credentials.issue({ ...agent, threadId: 'stream' })
  let opened = 0
  let ended = 0
  const transport = new TransportV1(new URL(`${running.url}/v1`), {
    requestInit: { headers: { Authorization: issued.authorizationHeader } },
    reconnectionOptions: {
      maxRetries: 0,
      initialReconnectionDelay: 1,
      maxReconnectionDelay: 1,
      reconnectionDelayGrowFactor: 1,
    },
    fetch: async (input, init) => {
      const response = await fetch(input, init)
      if (init?.method !== 'GET' || response.body === null) return response
      opened += 1
      const watched = response.body.pipeThrough(new TransformStream())
      const [own, theirs] = watched.tee()
      void own
        .pipeTo(new WritableStream())
        .catch(() => undefined)
        .then(() => {
          ended += 1
        })
      return new Response(theirs, { status: response.status, headers: response.headers })
    },
  })
  const client = new ClientV1({ name: 'agent', version: '1.0.0' })
  client.onerror = () => undefined
  await client.connect(transport as Parameters<typeof client.connect>[0])
  while (opened === 0) await new Promise((resolve) => setTimeout(resolve, 10))
  expect(ended).toBe(0)
  await issued.revoke()
  while (ended === 0) await new Promise((resolve) => setTimeout(resolve, 10))
  await client.close()
})

test.each(['v1-own', 'v2-own'])('asOAuthTokenVerifier serves the SDK’s own requireBearerAuth (%s)', async (path) => {
  const issued = await credentials.issue({ ...agent, threadId: path })
  const connect = async () => {
    const client = new ClientV2({ name: 'agent', version: '1.0.0' })
    const requestInit = { headers: { Authorization: issued.authorizationHeader } }
    await client.connect(new TransportV2(new URL(`${running.url}/${path}`), { requestInit }))
    return client
  }
  const client = await connect()
  expect(textOf(await client.callTool({ name: 'preview_open', arguments: { page: 'a' } }))).toMatch(/^a for p1 /)
  await client.close()
  await issued.revoke()
  const refused = await fetch(`${running.url}/${path}`, {
    method: 'POST',
    headers: { Authorization: issued.authorizationHeader, 'Content-Type': 'application/json' },
    body: '{}',
  })
  expect(refused.status).toBe(401)
  expect(refused.headers.get('www-authenticate')).toContain('error="invalid_token"')
})

const INSPECTOR = '../node_modules/@modelcontextprotocol/inspector/clients/launcher/build/index.js'

/** Runs the Inspector's command line against a server, with this very Node. */
async function inspect(path: string, authorization: string, ...method: string[]) {
  const cli = fileURLToPath(new URL(INSPECTOR, import.meta.url))
  const header = ['--header', `Authorization: ${authorization}`]
  const words = [cli, '--cli', `${running.url}/${path}`, '--transport', 'http', ...header, '--method', ...method]
  const env = { ...process.env, NODE_OPTIONS: '' }
  try {
    const { stdout } = await promisify(execFile)(process.execPath, words, { env, timeout: 60_000 })
    return { ok: true, output: stdout }
  } catch (error) {
    const { stdout = '', stderr = '' } = error as { stdout?: string; stderr?: string }
    return { ok: false, output: stdout + stderr }
  }
}

test.each(['v1', 'v2'])(
  '[mcp-real-clients] the Inspector CLI lists and calls tools of a server of SDK %s',
  async (path) => {
    const issued = await credentials.issue({ ...agent, threadId: `inspector-${path}` })
    const { authorizationHeader: header } = issued
    const listed = await inspect(path, header, 'tools/list')
    expect(listed.ok).toBe(true)
    const { tools } = JSON.parse(listed.output) as { tools: { name: string }[] }
    expect(tools.map(({ name }) => name).sort()).toEqual(['admin_reset', 'preview_open'])
    const opened = await inspect(path, header, 'tools/call', '--tool-name', 'preview_open', '--tool-arg', 'page=x.html')
    expect(opened.output).toContain('x.html for p1')
    const refused = await inspect(path, header, 'tools/call', '--tool-name', 'admin_reset')
    expect(refused).toEqual({ ok: false, output: expect.stringContaining('This session may not use that tool') })
    await issued.revoke()
    const ended = await inspect(path, header, 'tools/list')
    // After a 401 the Inspector looks for OAuth, finds none, and says so.
    expect(ended).toEqual({ ok: false, output: expect.stringContaining('auth_required') })
  },
  120_000,
)
