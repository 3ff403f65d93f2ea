import { createServer } from 'node:http'
import { Redis } from 'ioredis'
import { redisReplay } from '../../src/index.js'

/** An app that claims for each request, and whose handler blocks the event loop for 700 ms, once a second. */
const [, , redisUrl = ''] = process.argv
const store = redisReplay(new Redis(redisUrl, { commandTimeout: 1000, socketTimeout: 5000 }))
let count = 0
let stalledMs = performance.now()

const server = createServer(async (_request, response) => {
  count += 1
  try {
    const outcome = await store.claim(`request-${count}`, 60_000)
    if (performance.now() - stalledMs > 1000) {
      stalledMs = performance.now() + 700
      while (performance.now() < stalledMs);
    }
    response.end(outcome)
  } catch {
    response.writeHead(503).end()
  }
}).listen(0, '127.0.0.1', () => {
  process.stdout.write(`${(server.address() as { port: number }).port}\n`)
})
