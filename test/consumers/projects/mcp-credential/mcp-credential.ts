import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createAudit } from '@countersign/core'
import {
  createMcpCredentials,
  type Principal,
  principalOf,
  requireMcpCredential,
  toClientConfig,
  writeCredentialFile,
} from '@countersign/mcp-credential'
import { redisCredentials } from '@countersign/mcp-credential/redis'
import express from 'express'
import type { Redis } from 'ioredis'
import { serve } from './serve.mjs'

/** The store of more than one process fits where the memory store fits. */
export const onRedis = (redis: Redis) => createMcpCredentials({ store: redisCredentials(redis) })

export async function exercise(): Promise<void> {
  const audit = createAudit()
  const credentials = createMcpCredentials({ audit })
  const app = express()
  app.get('/', requireMcpCredential({ credentials, audit }), (request, response) => {
    const thread: string = principalOf(request, 'mcp-credential').threadId
    const principal: Principal | undefined = request.principal
    response.json({ thread, kind: principal?.kind })
  })
  const { base, close } = await serve(app)
  try {
    assert.equal((await fetch(base)).status, 401)
    const issued = await credentials.issue({ threadId: 't1', providerInstanceId: 'p1', capabilities: [] })
    const granted = await fetch(base, { headers: { authorization: issued.authorizationHeader } })
    assert.deepEqual([granted.status, await granted.json()], [200, { thread: 't1', kind: 'mcp-credential' }])
    // The helper that the configuration of an agent names is in the package.
    const folder = mkdtempSync(join(tmpdir(), 'countersign-consumer-'))
    const file = join(folder, 'agent', 'credential.json')
    await writeCredentialFile(file, issued)
    const { config } = toClientConfig(issued, 'claude-code', { url: `${base}/mcp`, serverName: 'app', file })
    const { headersHelper } = (config as { mcpServers: { app: { headersHelper: string } } }).mcpServers.app
    const printed: unknown = JSON.parse(execFileSync(headersHelper, { shell: true, encoding: 'utf8' }))
    rmSync(folder, { recursive: true })
    assert.deepEqual(printed, { Authorization: issued.authorizationHeader })
  } finally {
    await close()
  }
}
