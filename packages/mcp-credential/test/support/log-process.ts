// An app whose credentials are in a log, on a disk that can be full.
import { spawnSync } from 'node:child_process'
import type { AddressInfo } from 'node:net'
import { createAudit } from '@countersign/core'
import { createMcpCredentials, memoryCredentials, requireMcpCredential } from '@countersign/mcp-credential'
import express from 'express'

const [, , file = ''] = process.argv
const audit = createAudit()
const store = memoryCredentials({ file })
// A use slides 4 s after the last one that did.
const credentials = createMcpCredentials({ store, audit, idleTimeoutSeconds: 40, maximumLifetimeSeconds: 3600 })
const app = express()
app.use(requireMcpCredential({ credentials, audit, bindSessions: false }), (_request, response) => {
  response.json({})
})

async function answer({ issue, revoke, room }: { issue?: string; revoke?: string; room?: number | 'unlimited' }) {
  if (room !== undefined) {
    const { status, stderr } = spawnSync('prlimit', [`--pid=${process.pid}`, `--fsize=${room}:unlimited`])
    if (status !== 0) throw new Error(`prlimit: ${stderr}`)
    return {}
  }
  if (revoke !== undefined) return { revoked: await credentials.revoke(revoke) }
  const issued = await credentials.issue({ threadId: issue ?? '', providerInstanceId: 'p' })
  return { id: issued.credentialId, header: issued.authorizationHeader }
}

const server = app.listen(0, '127.0.0.1', () => process.send?.({ port: (server.address() as AddressInfo).port }))
process.on('message', (message) => {
  answer(message as object).then(
    (done) => process.send?.({ answer: done }),
    (error: Error & { code?: string }) => process.send?.({ answer: { code: error.code ?? error.message } }),
  )
})
