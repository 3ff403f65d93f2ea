import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { Redis } from 'ioredis'
import { RedisServer } from '../../../test/support/redis-server.js'
import { redisReplay } from '../src/index.js'

let server: RedisServer
let redis: Redis
beforeAll(async () => {
  server = await RedisServer.start()
  redis = new Redis(server.url)
  redis.on('error', () => undefined)
})
afterAll(async () => {
  redis.disconnect()
  await server.stop()
})

test('a claim that timed out takes no effect when the stopped server goes on', async () => {
  const replay = redisReplay(redis, { commandTimeoutMs: 200 })
  expect(await replay.claim('a', 60_000)).toBe('fresh')
  expect(await replay.claim('a', 60_000)).toBe('seen')
  server.pause()
  await expect(replay.claim('b', 60_000)).rejects.toMatchObject({ code: 'ERR_STORE_UNAVAILABLE' })
  server.resume()
  await new Promise((resolve) => setTimeout(resolve, 100))
  expect(await replay.claim('b', 60_000)).toBe('fresh')
})
