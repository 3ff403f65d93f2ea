import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createMcpCredentials, type Principal, requireMcpCredential } from '@countersign/mcp-credential'
import express from 'express'

await assert.rejects(() => import('ioredis' as string), { code: 'ERR_MODULE_NOT_FOUND' })

const credentials = createMcpCredentials()
const app = express().get('/mcp', requireMcpCredential({ credentials }), (request, response) => {
  // The only installed gate's principal needs no narrowing.
  const principal: Principal | undefined = request.principal
  response.json({ thread: principal?.threadId })
})
const server = createServer(app).listen(0, '127.0.0.1')
await once(server, 'listening')
const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`
try {
  assert.equal((await fetch(url)).status, 401)
  const issued = await credentials.issue({ threadId: 't1', providerInstanceId: 'p1', capabilities: [] })
  const granted = await fetch(url, { headers: { authorization: issued.authorizationHeader } })
  assert.deepEqual([granted.status, await granted.json()], [200, { thread: 't1' }])
  console.log('exercised alone')
} finally {
  server.closeAllConnections()
  server.close()
}
