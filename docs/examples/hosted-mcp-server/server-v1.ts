import { requireOAuthBearer } from '@countersign/oauth-bearer'
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js'
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js'
import express from 'express'

function createServer() {
  const server = new McpServer({ name: 'files', version: '1.0.0' })
  server.registerTool('whoami', { description: 'Says who is asking', inputSchema: {} }, async (_input, extra) => ({
    content: [{ type: 'text', text: String(extra.authInfo?.extra?.subject) }],
  }))
  return server
}

export function createApp(baseUrl: string, issuer: string) {
  const oauth = requireOAuthBearer({ resource: `${baseUrl}/mcp`, issuer, scopes: ['mcp'] })
  const app = express()
  app.use(oauth.metadata({ resourceName: 'Files', authorizationServerRedirect: true }))
  app.post('/mcp', oauth, express.json(), async (request, response) => {
    // Without a session each request has a server and a transport of its own.
    const server = createServer()
    const transport = new StreamableHTTPServerTransport({})
    response.on('close', () => void server.close())
    await server.connect(transport)
    await transport.handleRequest(request, response, request.body)
  })
  // There is no stream to open and no session to end.
  app.all('/mcp', oauth, (_request, response) => void response.status(405).set('Allow', 'POST').end())
  return app
}

const server = createApp('http://localhost:3000', 'http://localhost:4000').listen(3000)
server.on('listening', () => console.log('MCP server: http://localhost:3000/mcp'))
