import assert from 'node:assert/strict'
import { createAudit } from '@countersign/core'
import { type Principal, principalOf, requireOAuthBearer } from '@countersign/oauth-bearer'
import express from 'express'
import { startIssuer } from './issuer.mjs'
import { serve } from './serve.mjs'

export async function exercise(): Promise<void> {
  const app = express()
  const { base, close } = await serve(app)
  const issuer = await startIssuer()
  const gate = requireOAuthBearer({ resource: `${base}/api`, issuer: issuer.url, audit: createAudit() })
  app.use(gate.metadata())
  app.get('/api', gate, (request, response) => {
    const scopes: readonly string[] = principalOf(request, 'oauth-bearer').scopes
    const principal: Principal | undefined = request.principal
    response.json({ scopes, kind: principal?.kind })
  })
  app.get('/api/files', gate.scopes('files:read'), (_request, response) => {
    response.json({})
  })
  try {
    assert.equal((await fetch(`${base}/api`)).status, 401)
    const headers = { authorization: `Bearer ${issuer.token(`${base}/api`)}` }
    const granted = await fetch(`${base}/api`, { headers })
    assert.deepEqual([granted.status, await granted.json()], [200, { scopes: [], kind: 'oauth-bearer' }])
    assert.equal((await fetch(`${base}/api/files`, { headers })).status, 403)
  } finally {
    await close()
    await issuer.close()
  }
}
