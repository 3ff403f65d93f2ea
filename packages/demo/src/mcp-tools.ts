import { toNodeHandler } from '@modelcontextprotocol/node'
import { createMcpHandler, McpServer } from '@modelcontextprotocol/server'
import type { RequestHandler } from 'express'
import { z } from 'zod'

/** An MCP endpoint with one tool, which tells who called it. */
export function mcpEndpoint(): RequestHandler {
  const handler = toNodeHandler(
    createMcpHandler(() => {
      const server = new McpServer({ name: 'countersign-demo', version: '1.0.0' })
      server.registerTool(
        'preview_open',
        { description: 'Opens a preview of a page', inputSchema: z.object({ page: z.string() }) },
        async ({ page }, context) => ({
          content: [{ type: 'text', text: `${page} opened for ${context.http?.authInfo?.clientId ?? 'nobody'}` }],
        }),
      )
      return server
    }),
  )
  return (request, response) => handler(request, response, request.body)
}
