import { requireOAuthBearer } from '@countersign/oauth-bearer'
import { toNodeHandler } from '@modelcontextprotocol/node'
import { createMcpHandler, McpServer } from '@modelcontextprotocol/server'
import express from 'express'
import { z } from 'zod'

export function createApp(baseUrl: string, issuer: string) {
  const oauth = requireOAuthBearer({ resource: `${baseUrl}/mcp`, issuer, scopes: ['mcp'] })

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

  const app = express()
  app.use(oauth.metadata({ resourceName: 'Files', authorizationServerRedirect: true }))
  app.all('/mcp', oauth, express.json(), (request, response) => mcp(request, response, request.body))
  return app
}

const server = createApp('http://localhost:3000', 'http://localhost:4000').listen(3000)
server.on('listening', () => console.log('MCP server: http://localhost:3000/mcp'))
