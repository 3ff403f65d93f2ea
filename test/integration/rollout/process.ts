// One process of the guide's chapter "Moving from a shared key"; prints its port.
import { once } from 'node:events'
import { audit } from '@countersign/audit'
import { prometheusSink } from '@countersign/audit/prometheus'
import { hmacOptionsFromEnv, requireHmac, rfc9421, xHeaders } from '@countersign/hmac'
import { postgresSecrets, postgresSecretsOptionsFromEnv } from '@countersign/hmac/postgres'
import { redisReplay, redisUsage } from '@countersign/redis'
import express from 'express'
import { Redis } from 'ioredis'
import pg from 'pg'
import { register } from 'prom-client'

const { env } = process
const redis = new Redis(env.REDIS_URL as string)
const pool = new pg.Pool({ connectionString: env.DATABASE_URL, connectionTimeoutMillis: 20_000, query_timeout: 20_000 })
const app = express()

// The guide's, from here
const callers = ['scheduler', 'reports', 'mailer']
audit.subscribe(prometheusSink({ callers }))

// The kill switches: redis-cli HSET require-signature reports 1. Read before the first request, then once a second.
let switches: Record<string, boolean> = {}
async function readSwitches() {
  const stored = await redis.hgetall('require-signature')
  switches = Object.fromEntries(Object.entries(stored).map(([caller, value]) => [caller, value === '1']))
}
await readSwitches()
setInterval(() => readSwitches().catch(() => undefined), 1000)

const hmac = requireHmac({
  ...hmacOptionsFromEnv(process.env, { callers, legacyHeaders: ['x-service-key'] }),
  enforce: () => switches,
  reportOnly: process.env.REPORT_ONLY === 'true',
  secrets: postgresSecrets(pool, { ...postgresSecretsOptionsFromEnv(process.env), cacheSeconds: 1 }),
  callers,
  audience: 'billing.example.com',
  formats: [rfc9421(), xHeaders({ prefix: 'x-kh', bindQuery: false, bindAudience: false })],
  replay: redisReplay(redis, { commandTimeoutMs: 10_000 }),
  legacyUsage: redisUsage(redis, { commandTimeoutMs: 10_000 }),
})
app.use('/internal', hmac)
app.get('/rollout', async (_request, response) => response.json(await hmac.legacyUsage()))
// to here.

app.get('/metrics', async (_request, response) => {
  response.type('text/plain').send(await register.metrics())
})
app.use('/internal', (request, response) => {
  response.json(request.principal)
})

const server = app.listen(0, '127.0.0.1')
await once(server, 'listening')
console.log((server.address() as { port: number }).port)
process.on('disconnect', () => process.exit())
