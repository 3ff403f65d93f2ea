// One process of the HTTP rig: one variant (or an empty middleware) on a real server; makes the requests it will let in.
import { once } from 'node:events'
import express, { type RequestHandler } from 'express'
import { allCases } from './cases/index.js'
import { EMPTY } from './measure.js'
import type { Wire } from './wire.js'

/** A request as it goes from one process to another. */
export interface SentWire {
  readonly method: string
  readonly url: string
  readonly headers: readonly string[]
  readonly body: string | undefined
}

const [, , id, name] = process.argv
const one = allCases.find((candidate) => candidate.id === id)
if (one === undefined) throw new Error(`no case is called ${id}`)
const { variants } = await one.setup()
const isEmpty = EMPTY.some((empty) => empty === name)
const variant = isEmpty ? variants.find(({ isOurs }) => isOurs) : variants.find((candidate) => candidate.name === name)
if (variant === undefined) throw new Error(`${id} has no variant ${name}`)

const pass: RequestHandler = (_request, _response, next) => next()
const app = express()
app.disable('etag').disable('x-powered-by')
app.use(isEmpty ? pass : variant.handler, (_request, response) => {
  response.end('let in')
})
const server = app.listen(0, '127.0.0.1')
await once(server, 'listening')

const sent = ({ method, url, fields, body }: Wire): SentWire => ({
  method,
  url,
  headers: fields.map((field) => field.toString('latin1')),
  body: body?.toString('base64'),
})
process.on('message', async (count: number) => {
  const wires = await variant.wires(count)
  process.send?.({ wires: wires.map(sent) })
})
process.send?.({ port: (server.address() as { port: number }).port })
