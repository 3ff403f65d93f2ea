// An app without a sink whose gate decides on two requests. What it prints is Node's own.
import { once } from 'node:events'
import express from 'express'
import { keyGate } from './harness.js'

const app = express()
app.get('/things/:id', keyGate(), (_request, response) => {
  response.end()
})
const server = app.listen(0, '127.0.0.1')
await once(server, 'listening')
const { port } = server.address() as { port: number }
for (const key of ['good', 'a "bad" one %s']) {
  await fetch(`http://127.0.0.1:${port}/things/1?secret=hunter2`, { headers: { 'X-Key': key } })
}
process.exit()
