import assert from 'node:assert/strict'
import { createAudit } from '@countersign/core'
import { createMcpCredentials, type Principal, principalOf, requireMcpCredential } from '@countersign/mcp-credential'
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
  } finally {
    await close()
  }
}
