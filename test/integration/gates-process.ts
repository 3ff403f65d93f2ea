// One Express process with the gates on the Redis of REDIS_URL; prints its port.
import { once } from 'node:events'
import { createServer } from 'node:http'
import { Redis } from 'ioredis'
import { createGatesApp } from '../support/gates-app.js'

const server = createServer().listen(0, '127.0.0.1')
await once(server, 'listening')
const { port } = server.address() as { port: number }
const redis = new Redis(process.env.REDIS_URL as string)
// Time enough on a busy machine: what is shown here is which requests are granted, not how soon.
const gates = createGatesApp({ redis, baseUrl: `http://localhost:${port}`, commandTimeoutMs: 10_000 })
server.on('request', gates.app)
console.log(port)
process.on('disconnect', () => process.exit())
