// A server whose listener for upgrades throws behind a gate. It says what Node reports.
import { once } from 'node:events'
import { createServer } from 'node:http'
import { keyGate } from './harness.js'

const server = createServer()
keyGate().upgrade(server, '/live', () => {
  throw new Error('of the app')
})
process.on('uncaughtException', (error) => process.send?.(error.message))
await once(server.listen(0, '127.0.0.1'), 'listening')
console.log((server.address() as { port: number }).port)
