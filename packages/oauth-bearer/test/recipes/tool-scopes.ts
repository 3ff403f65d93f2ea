import { type OAuthBearerGate, requireOAuthBearer } from '@countersign/oauth-bearer'
import { toNodeHandler } from '@modelcontextprotocol/node'
import { createMcpHandler, McpServer } from '@modelcontextprotocol/server'
import express, { type RequestHandler } from 'express'
import { z } from 'zod'

/** Requires more scopes for some tools. The 403 names the missing scopes, so the client can step up. */
export function toolScopes(oauth: OAuthBearerGate, scopes: Readonly<Record<string, string>>): RequestHandler {
  const gates = new Map(Object.entries(scopes).map(([tool, scope]) => [tool, oauth.scopes(scope)]))
  return (request, response, next) => {
    // An unparsed body would count as one that calls no tool, although the MCP handler might still read it.
    if (request.method === 'POST' && request.body === undefined) return void response.status(415).end()
    const messages: unknown[] = Array.isArray(request.body) ? request.body : [request.body]
    const tools = messages.map((message) => (message as { params?: { name?: unknown } } | undefined)?.params?.name)
    const needed = tools.flatMap((tool) => (typeof tool === 'string' ? (gates.get(tool) ?? []) : []))
    const pass = (index: number): void => {
      const gate = needed[index]
      if (gate === undefined) next()
      else gate(request, response, () => pass(index + 1))
    }
    pass(0)
  }
}

const mcp = toNodeHandler(
  createMcpHandler(() => {
    const server = new McpServer({ name: 'files', version: '1.0.0' })
    const file = z.object({ path: z.string() })
    server.registerTool('read_file', { description: 'Reads a file', inputSchema: file }, async ({ path }) => ({
      content: [{ type: 'text', text: `this is ${path}` }],
    }))
    server.registerTool('write_file', { description: 'Writes a file', inputSchema: file }, async ({ path }) => ({
      content: [{ type: 'text', text: `${path} is written` }],
    }))
    return server
  }),
)

export function createApp(baseUrl: string, issuer: string) {
  const oauth = requireOAuthBearer({ resource: `${baseUrl}/mcp`, issuer, scopes: ['mcp'] })
  const app = express()
  app.use(oauth.metadata({ scopesSupported: ['mcp', 'files:write'] }))
  app.all('/mcp', oauth, express.json(), toolScopes(oauth, { write_file: 'files:write' }), (request, response) =>
    mcp(request, response, request.body),
  )
  return app
}
