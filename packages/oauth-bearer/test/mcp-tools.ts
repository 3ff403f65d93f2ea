import { toNodeHandler } from '@modelcontextprotocol/node'
import { createMcpHandler, McpServer } from '@modelcontextprotocol/server'
import type { RequestHandler } from 'express'
import { z } from 'zod'

/** An MCP server with a tool that reads and one that writes. They say who called them. */
export function mcpTools(): RequestHandler {
  const handler = toNodeHandler(
    createMcpHandler(() => {
      const mcp = new McpServer({ name: 'files', version: '1.0.0' })
      for (const name of ['read_file', 'write_file']) {
        mcp.registerTool(name, { description: name, inputSchema: z.object({}) }, async (_input, context) => ({
          content: [{ type: 'text', text: `${name} for ${context.http?.authInfo?.extra?.subject}` }],
        }))
      }
      return mcp
    }),
  )
  return (request, response) => handler(request, response, request.body)
}
