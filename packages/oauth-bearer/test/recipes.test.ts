import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { OAuthBearerGate } from '@countersign/oauth-bearer'
import { afterEach, describe, expect, test } from '@jest/globals'
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import express, { type RequestHandler } from 'express'
import { type RunningServer, serve } from '../../../test/support/http-server.js'
import { type Harness, oauthApp } from './harness.js'
import { createApp } from './recipes/hosted-mcp-server.js'
import { toolScopes } from './recipes/tool-scopes.js'
import { makeKey, signToken, startIssuer } from './test-issuer.js'
import { wire } from './wire.js'

const here = dirname(fileURLToPath(import.meta.url))
const docs = join(here, '..', '..', '..', 'docs')
const recipes = readdirSync(join(here, 'recipes')).map((name) => ({
  name,
  text: readFileSync(join(here, 'recipes', name), 'utf8'),
}))
/** Recipes that are a gate; the others are parts of an app. */
const gates = recipes.filter(({ text }) => text.includes('export const oauth =')).map(({ name }) => name)

let app: Harness | undefined
let server: RunningServer | undefined
afterEach(async () => {
  await app?.stop()
  await server?.close()
  app = server = undefined
})

describe('recipes', () => {
  test.each(gates)('[oauth-recipes] the one for %s makes a gate that guards, and metadata', async (name) => {
    process.env.INTROSPECTION_SECRET = 'the-secret-of-the-resource'
    const { oauth, metadata = oauth.metadata() } = (await import(`./recipes/${name}`)) as {
      oauth: OAuthBearerGate
      metadata?: RequestHandler
    }
    const app = express()
    app.use(metadata)
    app.get('/', oauth, (_request, response) => void response.json({}))
    server = await serve(app)
    const refused = await fetch(server.url)
    expect([refused.status, refused.headers.get('www-authenticate')]).toEqual([
      401,
      expect.stringContaining('resource_metadata="https://mcp.example.com/.well-known/oauth-protected-resource/mcp"'),
    ])
    const document = await fetch(`${server.url}/.well-known/oauth-protected-resource/mcp`)
    expect(await document.json()).toMatchObject({ resource: 'https://mcp.example.com/mcp' })
  })

  test('[oauth-recipes] the guides show the recipes that are compiled and tried here, word for word', () => {
    const providers = readdirSync(join(docs, 'recipes/providers')).map((name) => `recipes/providers/${name}`)
    const text = ['guides/oauth-bearer.md', 'guides/hosted-mcp-server.md', ...providers]
      .map((path) => readFileSync(join(docs, path), 'utf8'))
      .join('\n')
    for (const { name, text: recipe } of recipes) {
      expect([name, text.includes(`\`\`\`ts\n${recipe}`)]).toEqual([name, true])
    }
  })

  test('[oauth-recipes] the hosted MCP server serves a client, and tells other clients where to authorize', async () => {
    const key = await makeKey('k1')
    const issuer = await startIssuer(key)
    const outer = express()
    server = await serve(outer)
    outer.use(createApp(server.url, issuer.url))
    const resource = `${server.url}/mcp`
    const refused = await fetch(resource, { method: 'POST' })
    expect(refused.status).toBe(401)
    expect(refused.headers.get('www-authenticate')).toBe(
      `Bearer realm="${new URL(resource).host}", scope="mcp", ` +
        `resource_metadata="${server.url}/.well-known/oauth-protected-resource/mcp"`,
    )
    const token = await signToken(
      key,
      { issuer: issuer.url, audience: resource, now: Date.now() },
      { claims: { scope: 'mcp' } },
    )
    const transport = new StreamableHTTPClientTransport(new URL(resource), {
      requestInit: { headers: { authorization: `Bearer ${token}` } },
    })
    const client = new Client({ name: 'test', version: '1.0.0' })
    await client.connect(transport)
    expect(await client.callTool({ name: 'whoami', arguments: {} })).toMatchObject({
      content: [{ type: 'text', text: 'u1' }],
    })
    await client.close()
    await issuer.close()
  })

  test('[oauth-recipes] tools can need more scopes, and each message of a batch counts', async () => {
    const running = await oauthApp({
      routes: (routes, gate) => {
        const scopes = toolScopes(gate, { write_file: 'files:write', admin: 'files:admin' })
        routes.post('/mcp', express.json(), gate, scopes, (_request, response) => void response.json({}))
      },
    })
    app = running
    const call = async (scope: string, body: unknown, type = 'application/json') => {
      const { status, headers } = await wire(running.port, {
        method: 'POST',
        path: '/mcp',
        headers: {
          authorization: `Bearer ${await running.token({ claims: { scope } })}`,
          'content-type': type,
        },
        body: JSON.stringify(body),
      })
      return `${status} ${/scope="([^"]*)"/.exec(String(headers['www-authenticate']))?.[1] ?? ''}`.trim()
    }
    const toolCall = (name: unknown) => ({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name } })
    expect(await call('files:read', toolCall('read_file'))).toBe('200')
    expect(await call('files:read', toolCall('write_file'))).toBe('403 files:write')
    expect(await call('files:write', toolCall('write_file'))).toBe('200')
    expect(await call('files:write', [toolCall('write_file'), toolCall('admin')])).toBe('403 files:admin files:write')
    expect(await call('files:read', toolCall('__proto__'))).toBe('200')
    expect(await call('files:read', toolCall(['write_file']))).toBe('200')
    expect(await call('files:read', { method: 'ping' })).toBe('200')
    // Express reads no JSON in it, and version 1 of the SDK would.
    expect(await call('files:read', toolCall('write_file'), 'text/plain; a=application/json')).toBe('415')
  })
})
