// An MCP server behind the gate, in a process of its own: it can be killed and started again. What it is asked goes to the
// parent.
import { createMcpCredentials, discoveryGuard, requireMcpCredential } from '@countersign/mcp-credential'
import { redisCredentials } from '@countersign/mcp-credential/redis'
import { toNodeHandler } from '@modelcontextprotocol/node'
import { createMcpHandler, McpServer } from '@modelcontextprotocol/server'
import express, { type Request } from 'express'
import { Redis } from 'ioredis'
import { z } from 'zod'
import { serve } from '../support/http-server.js'
import type { Asked } from './world.js'

const { PORT, REDIS, IDLE_SECONDS, DEAD_AS } = process.env as Record<string, string>
const redis = new Redis(REDIS as string, { commandTimeout: 1000, socketTimeout: 5000 })
redis.on('error', () => undefined)
const credentials = createMcpCredentials({ store: redisCredentials(redis), idleTimeoutSeconds: Number(IDLE_SECONDS) })
const gate = requireMcpCredential({
  credentials,
  tools: { 'preview_*': 'preview' },
  deadAs: DEAD_AS as 'http' | 'jsonrpc',
})

const mcp = toNodeHandler(
  createMcpHandler(() => {
    const server = new McpServer({ name: 'app', version: '1.0.0' })
    server.registerTool(
      'preview_open',
      { description: 'Opens a preview of a page', inputSchema: z.object({ page: z.string() }) },
      async ({ page }, context) => ({
        content: [{ type: 'text', text: `${page} opened for ${context.http?.authInfo?.clientId}` }],
      }),
    )
    return server
  }),
)

function methodsOf({ body }: Request): string {
  const messages: unknown[] = Array.isArray(body) ? body : [body]
  return messages.map((message) => String((message as { method?: unknown } | undefined)?.method ?? '')).join(' ')
}

const app = express()
// Before the gate here, so that what it refuses is told too.
app.use(express.json(), express.urlencoded({ extended: false }), (request, response, next) => {
  const { method, headers, originalUrl, body } = request
  if (headers['x-probe'] !== undefined) return next()
  const at = Date.now()
  process.send?.('arrived')
  response.on('close', () => {
    const asked: Asked = {
      at,
      method,
      path: originalUrl,
      rpc: methodsOf(request),
      accept: headers.accept,
      type: headers['content-type'],
      body: originalUrl.startsWith('/mcp') ? undefined : body,
      status: response.statusCode,
      answered: String(response.getHeader('content-type') ?? ''),
    }
    process.send?.(asked)
  })
  next()
})
app.use(discoveryGuard())
app.all('/mcp', gate, (request, response) => mcp(request, response, request.body))
const running = await serve(app, Number(PORT))
console.log(running.port)
