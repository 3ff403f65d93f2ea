// An app in a process of its own that streams to whoever has a credential. Its rechecks are an hour apart.
import type { AddressInfo } from 'node:net'
import { createMcpCredentials, requireMcpCredential } from '@countersign/mcp-credential'
import { redisCredentials } from '@countersign/mcp-credential/redis'
import express from 'express'
import { Cluster, Redis } from 'ioredis'
import { streaming } from './streams.js'

const ports = (process.env.REDIS_PORTS ?? '').split(',').map(Number)
const nodes = ports.map((port) => ({ host: '127.0.0.1', port }))
const redis =
  nodes.length > 1
    ? new Cluster(nodes, { keyPrefix: 'app:' })
    : new Redis({ host: '127.0.0.1', port: ports[0] ?? 0, keyPrefix: 'app:' })
redis.on('error', () => undefined)
const credentials = createMcpCredentials({ store: redisCredentials(redis, { commandTimeoutMs: 10_000 }) })
const app = express()
app.get('/', requireMcpCredential({ credentials, recheckSeconds: 3600 }), streaming)
const server = app.listen(0, '127.0.0.1', () => process.stdout.write(`${(server.address() as AddressInfo).port}\n`))
process.on('disconnect', () => process.exit())
