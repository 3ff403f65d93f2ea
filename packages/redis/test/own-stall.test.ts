import { Agent, get } from 'node:http'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { startChildApp } from '../../../test/support/child-app.js'
import { RedisServer } from '../../../test/support/redis-server.js'
import { redisReplay } from '../src/index.js'
import { client, disconnectAll } from './harness.js'

let server: RedisServer
beforeAll(async () => {
  server = await RedisServer.start()
})
afterAll(async () => {
  disconnectAll()
  await server.stop()
})

function block(ms: number): void {
  const untilMs = performance.now() + ms
  while (performance.now() < untilMs);
}

test('[redis-own-stall] an app that blocks its event loop for 700 ms once a second has no 503 with a healthy Redis', async () => {
  const app = await startChildApp(fileURLToPath(new URL('support/stalling-app.ts', import.meta.url)), {}, [server.url])
  const agent = new Agent({ keepAlive: true, maxSockets: 32 })
  const ask = () =>
    new Promise<number>((resolve, reject) => {
      get(app.url, { agent }, (response) => {
        response.resume().on('end', () => resolve(response.statusCode ?? 0))
      }).on('error', reject)
    })
  const counts: Record<number, number> = {}
  // Each sends its next request 20 ms after an answer, so some are always on their way when the app blocks.
  const person = async (untilMs: number) => {
    while (performance.now() < untilMs) {
      const status = await ask()
      counts[status] = (counts[status] ?? 0) + 1
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  }
  try {
    expect(await ask()).toBe(200)
    const untilMs = performance.now() + 7000
    await Promise.all(Array.from({ length: 32 }, () => person(untilMs)))
    expect(counts).toEqual({ 200: expect.any(Number) })
    expect(counts[200]).toBeGreaterThan(100)
  } finally {
    agent.destroy()
    await app.stop()
  }
}, 60_000)

test.each([200, 450, 505, 700, 1500])(
  '[redis-own-stall] what was asked before a block of %i ms is answered after it, once',
  async (ms) => {
    const redis = client(server.url)
    const store = redisReplay(redis)
    await store.claim(`warm ${ms}`, 60_000)
    // Before the command is written, and between its writing and its reply.
    const before = store.claim(`before ${ms}`, 60_000)
    block(ms)
    expect(await before).toBe('fresh')
    const during = store.claim(`during ${ms}`, 60_000)
    await new Promise((resolve) => setImmediate(resolve))
    block(ms)
    expect(await during).toBe('fresh')
    expect(await store.claim(`before ${ms}`, 60_000)).toBe('seen')
    expect(await store.claim(`during ${ms}`, 60_000)).toBe('seen')
  },
)

test('[redis-own-stall] a server that says nothing is found within twice the deadline and the block', async () => {
  const store = redisReplay(client(server.url))
  await store.claim('warm', 60_000)
  server.pause()
  try {
    const startedMs = performance.now()
    const asked = store.claim('in vain', 60_000)
    block(700)
    await expect(Promise.resolve(asked)).rejects.toMatchObject({ code: 'ERR_COUNTERSIGN_UNAVAILABLE' })
    expect(performance.now() - startedMs).toBeLessThan(4000)
  } finally {
    server.resume()
  }
})
