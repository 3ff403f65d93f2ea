// An app on memory stores, in two workers of node:cluster. The primary process asks it many times.
import assert from 'node:assert/strict'
import cluster from 'node:cluster'
import { once } from 'node:events'
import { memoryReplay } from '@countersign/core'
import { memorySecrets, requireHmac } from '@countersign/hmac'
import { createMcpCredentials, requireMcpCredential } from '@countersign/mcp-credential'
import { createSettingsSessions, requireSettingsSession } from '@countersign/settings-session'
import express from 'express'

if (cluster.isPrimary) {
  const ports = [1, 2].map(async () => {
    const [{ port }] = await once(cluster.fork(), 'listening')
    return port
  })
  const [port] = await Promise.all(ports)
  for (let round = 0; round < 20; round += 1) {
    for (const path of ['hmac', 'mcp', 'settings']) {
      const { status } = await fetch(`http://127.0.0.1:${port}/${path}`, { headers: { connection: 'close' } })
      assert.equal(status, 401)
    }
  }
  cluster.disconnect()
} else {
  const app = express()
  // Two of each: a cause is told once in a process.
  for (let count = 0; count < 2; count += 1) {
    const secrets = memorySecrets([
      { caller: 'scheduler', version: 1, secret: 'a-secret-of-the-consumer-that-is-long' },
    ])
    app.use('/hmac', requireHmac({ secrets, audience: 'app.example.com', replay: memoryReplay() }))
    app.use('/mcp', requireMcpCredential({ credentials: createMcpCredentials() }))
    const settings = createSettingsSessions({ baseUrl: 'https://app.example.com/settings' })
    app.use('/settings', requireSettingsSession({ settings }))
  }
  app.listen(0, '127.0.0.1')
}
