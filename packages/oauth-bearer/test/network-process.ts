// An app behind a gate, as a process of its own: what Node reads from the environment it reads at its start.
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { requireOAuthBearer } from '@countersign/oauth-bearer'
import express from 'express'

const app = express()
app.use(requireOAuthBearer(JSON.parse(process.env.GATE ?? '')), (request, response) => {
  response.json(request.principal)
})
const server = createServer(app).listen(0, '127.0.0.1')
await once(server, 'listening')
process.stdout.write(`${(server.address() as AddressInfo).port}\n`)
