// One Express process with the gates on the Redis of REDIS_URL; prints its port.
import { once } from 'node:events'
import { createServer } from 'node:http'
import { Redis } from 'ioredis'
import { createGatesApp } from '../support/gates-app.js'

const server = createServer().listen(0, '127.0.0.1')
await once(server, 'listening')
const { port } = server.address() as { port: number }
const redis = new Redis(process.env.REDIS_URL as string)
server.on('request', createGatesApp(redis, `http://localhost:${port}`).app)
console.log(port)
process.on('disconnect', () => process.exit())
