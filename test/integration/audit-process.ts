// An app with a required audit file, as the page on observability shows it. AUDIT_FILE names the file.
import { once } from 'node:events'
import { audit } from '@countersign/audit'
import { jsonl } from '@countersign/audit/jsonl'
import { shutdown } from '@countersign/core'
import { createMcpCredentials, requireMcpCredential } from '@countersign/mcp-credential'
import express from 'express'

audit.subscribe(jsonl(process.env.AUDIT_FILE ?? ''), { required: true })

const credentials = createMcpCredentials()
const app = express().disable('x-powered-by')
app.get('/issue', async (_request, response) => {
  const issued = await credentials.issue({ threadId: 'thread', providerInstanceId: 'provider', capabilities: [] })
  response.json(issued.authorizationHeader)
})
app.get('/agent', requireMcpCredential({ credentials }), (_request, response) => {
  response.end('granted')
})

const server = app.listen(0, '127.0.0.1')
await once(server, 'listening')
process.once('SIGTERM', async () => {
  await shutdown(server, { graceSeconds: 10 })
  process.exit()
})
console.log((server.address() as { port: number }).port)
