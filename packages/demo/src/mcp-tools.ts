import { toNodeHandler } from '@modelcontextprotocol/node'
import { createMcpHandler, McpServer } from '@modelcontextprotocol/server'
import type { RequestHandler } from 'express'
import { z } from 'zod'

/** An MCP endpoint with two tools: one that a preview needs, and one that not every agent should have. */
export function mcpEndpoint(): RequestHandler {
  const handler = toNodeHandler(
    createMcpHandler(() => {
      const server = new McpServer({ name: 'countersign-demo', version: '1.0.0' })
      const inputSchema = z.object({ page: z.string() })
      server.registerTool(
        'preview_open',
        { description: 'Opens a preview of a page', inputSchema },
        async ({ page }, context) => ({
          content: [{ type: 'text', text: `${page} opened for ${context.http?.authInfo?.clientId ?? 'nobody'}` }],
        }),
      )
      server.registerTool('page_delete', { description: 'Deletes a page', inputSchema }, async ({ page }) => ({
        content: [{ type: 'text', text: `${page} is deleted` }],
      }))
      return server
    }),
  )
  // The peers of the demo have a type of their own for request.auth.
  return (request, response) => handler(request as never, response, request.body)
}
