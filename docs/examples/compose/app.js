import { principalOf, requireHmac } from '@countersign/hmac'
import { postgresSecrets, postgresSecretsOptionsFromEnv } from '@countersign/hmac/postgres'
import { createMcpCredentials, requireMcpCredential } from '@countersign/mcp-credential'
import { redisCredentials } from '@countersign/mcp-credential/redis'
import { redisReplay } from '@countersign/redis'
import express from 'express'
import { Redis } from 'ioredis'
import pg from 'pg'

// What is durable is in PostgreSQL, what is fast in Redis. Any number of processes may share both.
const connectionString = process.env.DATABASE_URL
const pool = new pg.Pool({ connectionString, connectionTimeoutMillis: 1000, query_timeout: 5000 })
pool.on('error', (error) => console.error(error.message)) // an idle connection that breaks must not end the process
const redis = new Redis(process.env.REDIS_URL, { commandTimeout: 1000, socketTimeout: 5000 })
redis.on('error', (error) => console.error(error.message))

const secrets = postgresSecrets(pool, postgresSecretsOptionsFromEnv(process.env))
const replay = redisReplay(redis)
const hmac = requireHmac({ secrets, callers: ['scheduler'], audience: 'app.example.com', replay })
const credentials = createMcpCredentials({ store: redisCredentials(redis) })

const app = express()
app.get('/health', (_request, response) => response.json({ ok: true }))
app.use('/internal', hmac, express.json())
app.post('/internal/executions', (request, response) => {
  response.json({ startedBy: principalOf(request, 'hmac').caller, job: request.body.job })
})
// The scheduler starts an agent of a thread, and hands this to it.
app.post('/internal/agents', async (request, response) => {
  const { threadId } = request.body
  const issued = await credentials.issue({ threadId, providerInstanceId: 'agent-1', capabilities: [] })
  response.json({ authorization: issued.authorizationHeader })
})
app.get('/agents/thread', requireMcpCredential({ credentials }), (request, response) => {
  response.json({ thread: principalOf(request, 'mcp-credential').threadId })
})
const server = app.listen(3000)
server.on('listening', () => console.log('app: http://localhost:3000'))

// What `docker compose stop` sends: let the requests end that have begun.
process.on('SIGTERM', () => server.close(() => process.exit()))
