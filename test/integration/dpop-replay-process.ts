// One of two processes behind one Redis; its clock is off by the last argument, in milliseconds.
import { createServer } from 'node:http'
import { requireOAuthBearer } from '@countersign/oauth-bearer'
import { redisReplay } from '@countersign/redis'
import express from 'express'
import { Redis } from 'ioredis'

const [, , redisUrl = '', issuer = '', resource = '', offset = '0'] = process.argv
const redis = new Redis(redisUrl)
redis.on('error', () => undefined)
const clock = { now: () => Date.now() + Number(offset), monotonic: () => performance.now() }
const replay = redisReplay(redis, { commandTimeoutMs: 10_000 })
const gate = requireOAuthBearer({
  issuer,
  resource,
  clock,
  clockToleranceSeconds: 60,
  dpop: { mode: 'required', replay },
})
const server = createServer(express().use(gate, (_request, response) => void response.end('ok')))
server.listen(0, '127.0.0.1', () => {
  process.stdout.write(`${(server.address() as { port: number }).port}\n`)
})
