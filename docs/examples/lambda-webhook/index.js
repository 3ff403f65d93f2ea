import { principalOf, requireHmac, secretsFromEnv } from '@countersign/hmac'
import { redisReplay } from '@countersign/redis'
import express from 'express'
import { Redis } from 'ioredis'
import serverless from 'serverless-http'

// Each instance of a function has a memory of its own. What all of them must know, that a webhook came already, is in Redis.
const { REDIS_URL } = process.env
const redis = REDIS_URL && new Redis(REDIS_URL, { commandTimeout: 1000, socketTimeout: 5000 })
const replay = redis ? redisReplay(redis) : undefined
const secrets = secretsFromEnv(process.env, { callers: ['partner'] })

const app = express()
app.use('/webhooks', requireHmac({ secrets, audience: 'hooks.example.com', replay }), express.json())
app.post('/webhooks/orders', (request, response) => {
  response.json({ from: principalOf(request, 'hmac').caller, order: request.body.order })
})

export const handler = serverless(app)
