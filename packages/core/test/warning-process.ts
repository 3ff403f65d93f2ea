// An app whose gate meets a bug, with a listener of warnings that throws when `throw` is said. Prints the answers.
import { once } from 'node:events'
import express from 'express'
import { decides, keyGate } from './harness.js'

if (process.argv.includes('throw')) {
  process.on('warning', () => {
    throw new Error('the listener throws')
  })
  process.on('uncaughtException', ({ message }) => process.stdout.write(`uncaught: ${message}\n`))
}
const app = express()
const bug = decides(() => {
  throw new TypeError('x.y is not a function')
})
app.get('/', keyGate({}, bug))
const server = app.listen(0, '127.0.0.1')
await once(server, 'listening')
const { port } = server.address() as { port: number }
for (let round = 0; round < 3; round += 1) {
  const answer = await fetch(`http://127.0.0.1:${port}/`)
  process.stdout.write(`${answer.status} ${await answer.text()}\n`)
}
process.exit()
