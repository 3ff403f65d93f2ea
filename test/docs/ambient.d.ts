// What the pages' examples take for granted: an app, its handlers, and what stands around them.
import type { AuditEvent } from '@countersign/core'
import type { IssuedCredential, McpCredentials } from '@countersign/mcp-credential'
import type { NodeMcpRequestHandler } from '@modelcontextprotocol/node'
import type { Express, RequestHandler } from 'express'
import type { Redis } from 'ioredis'

declare global {
  const app: Express
  const handler: RequestHandler
  /** What `toNodeHandler` of the MCP SDK made. */
  const mcp: NodeMcpRequestHandler
  const settingsPages: RequestHandler
  /** What the page's first example made. */
  const credentials: McpCredentials
  const issued: IssuedCredential
  const logger: { info(event: AuditEvent): void; warn(event: AuditEvent): void; error(event: AuditEvent): void }
  const redis: Redis
  /** A pool of the `pg` package. */
  const pool: { query(text: string, values?: unknown[]): Promise<{ rows: Record<string, unknown>[] }> }
}
