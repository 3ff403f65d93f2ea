// What a part of a program takes for granted: its whole has it (test/docs/programs.ts).
import type { IssuedCredential, McpCredentials } from '@countersign/mcp-credential'
import type { NodeMcpRequestHandler } from '@modelcontextprotocol/node'
import type { Express } from 'express'
import type { Redis } from 'ioredis'

declare global {
  const app: Express
  /** What `toNodeHandler` of the MCP SDK made. */
  const mcp: NodeMcpRequestHandler
  const credentials: McpCredentials
  const issued: IssuedCredential
  const redis: Redis
  /** A pool of the `pg` package. */
  const pool: { query(text: string, values?: unknown[]): Promise<{ rows: Record<string, unknown>[] }> }
}
