import assert from 'node:assert/strict'
import { createAudit } from '@countersign/core'
import { memorySecrets, type Principal, principalOf, requireHmac, sign, xHeaders } from '@countersign/hmac'
import { redisReplay } from '@countersign/redis'
import express from 'express'
import type { Redis } from 'ioredis'
import { serve } from './serve.mjs'

const secret = 'a-secret-of-the-consumer-that-is-long-enough'
const audience = 'app.example.com'
const secrets = memorySecrets([{ caller: 'scheduler', version: 1, secret }])

/** The replay store of more than one process fits where the memory store fits. */
export const onRedis = (redis: Redis) =>
  requireHmac({ secrets, audience, formats: [xHeaders()], replay: redisReplay(redis) })

export async function exercise(): Promise<void> {
  const app = express()
  app.get('/', requireHmac({ secrets, audience, formats: [xHeaders()], audit: createAudit() }), (request, response) => {
    const caller: string = principalOf(request, 'hmac').caller
    const principal: Principal | undefined = request.principal
    response.json({ caller, kind: principal?.kind })
  })
  const { base, close } = await serve(app)
  try {
    assert.equal((await fetch(base)).status, 401)
    const request = { method: 'GET', url: `${base}/`, headers: {}, body: Buffer.alloc(0) }
    const headers = sign(request, { caller: 'scheduler', secret, audience, format: xHeaders() })
    const granted = await fetch(base, { headers })
    assert.deepEqual([granted.status, await granted.json()], [200, { caller: 'scheduler', kind: 'hmac' }])
  } finally {
    await close()
  }
}
