import { requireOAuthBearer } from '@countersign/oauth-bearer'
import { toNodeHandler } from '@modelcontextprotocol/node'
import { createMcpHandler, McpServer } from '@modelcontextprotocol/server'
import cors from 'cors'
import express, { type RequestHandler } from 'express'
import { z } from 'zod'

export function forBrowsers(baseUrl: string, issuer: string, handler: RequestHandler) {
  const oauth = requireOAuthBearer({ resource: `${baseUrl}/mcp`, issuer, scopes: ['mcp'] })
  const app = express()
  app.use(oauth.metadata())
  app.use(cors({ exposedHeaders: ['Mcp-Session-Id'] }))
  app.all('/mcp', oauth, express.json(), handler)
  return app
}

const mcp = toNodeHandler(
  createMcpHandler(() => {
    const server = new McpServer({ name: 'files', version: '1.0.0' })
    server.registerTool(
      'whoami',
      { description: 'Says who is asking', inputSchema: z.object({}) },
      async (_input, context) => ({
        content: [{ type: 'text', text: String(context.http?.authInfo?.extra?.subject) }],
      }),
    )
    return server
  }),
)
export const handler: RequestHandler = (request, response) => mcp(request, response, request.body)
