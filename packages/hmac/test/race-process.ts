import { createServer } from 'node:http'
import { memorySecrets, requireHmac, rfc9421 } from '@countersign/hmac'
import { redisReplay } from '@countersign/redis'
import express from 'express'
import { Redis } from 'ioredis'

/** One of two processes behind one Redis. */
const [, , redisUrl = '', secret = '', audience = ''] = process.argv
const redis = new Redis(redisUrl)
const app = express()
app.use(
  requireHmac({
    secrets: memorySecrets([{ caller: 'scheduler', version: 1, secret }]),
    audience,
    formats: [rfc9421()],
    replay: redisReplay(redis, { commandTimeoutMs: 10_000 }),
  }),
  (_request, response) => void response.end('ok'),
)
const server = createServer(app).listen(0, '127.0.0.1', () => {
  process.stdout.write(`${(server.address() as { port: number }).port}\n`)
})
