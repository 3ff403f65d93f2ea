// One Express process with four gates, on the Redis of REDIS_PORTS; prints its port. Several ports are a cluster's.
import { once } from 'node:events'
import { createServer } from 'node:http'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { createAudit, UnavailableError } from '@countersign/core'
import { requireOAuthBearer } from '@countersign/oauth-bearer'
import { redisKeyCache } from '@countersign/oauth-bearer/redis'
import type { RedisClient } from '@countersign/redis'
import type { ErrorRequestHandler } from 'express'
import { Cluster, Redis } from 'ioredis'
import { createGatesApp } from '../support/gates-app.js'

/** What the guides advise. */
const ADVISED = { commandTimeout: 1000, socketTimeout: 5000 }
/** Milliseconds of work that gives the event loop no turn. */
const STALL_MS = 700

const { REDIS_PORTS = '[]', ISSUER = '', RESOURCE = '' } = process.env
const nodes = (JSON.parse(REDIS_PORTS) as number[]).map((port) => ({ host: '127.0.0.1', port }))
const redis: RedisClient =
  nodes.length > 1 ? new Cluster(nodes, { redisOptions: ADVISED }) : new Redis({ ...nodes[0], ...ADVISED })
redis.on('error', () => undefined)

const server = createServer().listen(0, '127.0.0.1')
await once(server, 'listening')
const { port } = server.address() as { port: number }
const audit = createAudit()
const { app, credentials, settings } = createGatesApp({ redis, baseUrl: `http://localhost:${port}`, audit })

const keyCache = redisKeyCache(redis, { secret: 'a-secret-of-the-tests-that-is-long-enough' })
app.get(
  '/client',
  requireOAuthBearer({ issuer: ISSUER, resource: RESOURCE, keyCache, audit }),
  (_request, response) => {
    response.json({ ok: true })
  },
)
app.post('/host/threads/:id/credentials', async ({ params: { id } }, response) => {
  const issued = await credentials.issue({ threadId: id, providerInstanceId: 'p1', idempotencyKey: id })
  response.json({ id: issued.credentialId, authorization: issued.authorizationHeader })
})
app.get('/host/threads/:id/credentials', async ({ params: { id } }, response) => {
  response.json({ count: (await credentials.list({ threadId: id })).credentials.length })
})
app.post('/host/people/:id/links', async ({ params: { id } }, response) => {
  let link = ''
  await settings.deliver(await settings.issueLink({ platform: 'test', userId: id }), (url) => {
    link = url.reveal('deliver-to-user')
  })
  response.json({ link })
})
app.delete('/host/people/:id/sessions', async ({ params: { id } }, response) => {
  await settings.revokeAll({ platform: 'test', userId: id })
  response.status(204).end()
})
app.post('/host/stall', (_request, response) => {
  const untilMs = performance.now() + STALL_MS
  while (performance.now() < untilMs);
  response.status(204).end()
})
const onError: ErrorRequestHandler = (error, _request, response, _next) => {
  response.status(error instanceof UnavailableError ? 503 : 500).json({ error: String(error) })
}
app.use(onError)
server.on('request', app)

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void
const lag = monitorEventLoopDelay({ resolution: 10 })
lag.enable()
process.on('message', () => {
  const lagMs = { p99: lag.percentile(99) / 1e6, max: lag.max / 1e6 }
  collect()
  process.send?.({ lagMs, heapBytes: process.memoryUsage().heapUsed })
  // The collection is the measurement's own.
  setTimeout(() => lag.reset(), 100)
})
process.on('disconnect', () => process.exit())
console.log(port)
