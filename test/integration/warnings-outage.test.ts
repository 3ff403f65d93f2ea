import { createMcpCredentials, requireMcpCredential } from '@countersign/mcp-credential'
import { redisCredentials } from '@countersign/mcp-credential/redis'
import { expect, test } from '@jest/globals'
import express from 'express'
import { Redis } from 'ioredis'
import { serve } from '../support/http-server.js'
import { RedisServer } from '../support/redis-server.js'
import { catchWarnings } from '../support/warnings.js'

test('a Redis that is killed and comes back is told of once each, however many requests meet it', async () => {
  const { warnings, stop } = catchWarnings()
  const server = await RedisServer.start('--appendonly', 'yes', '--appendfsync', 'always')
  const redis = new Redis(server.url, { socketTimeout: 1000, commandTimeout: 1000 })
  redis.on('error', () => undefined)
  const credentials = createMcpCredentials({ store: redisCredentials(redis) })
  const app = express().get('/', requireMcpCredential({ credentials }), (_request, response) => void response.end())
  const running = await serve(app)
  try {
    const { authorizationHeader: authorization } = await credentials.issue({ threadId: 't', providerInstanceId: 'p' })
    const get = async () => (await fetch(running.url, { headers: { authorization } })).status
    const told = () => warnings.map(({ code }) => code).filter((code) => code.startsWith('COUNTERSIGN_DEPENDENCY'))
    expect([await get(), told()]).toEqual([200, []])
    await server.kill()
    for (let count = 0; count < 10; count += 1) expect(await get()).toBe(503)
    expect(told()).toEqual(['COUNTERSIGN_DEPENDENCY_UNAVAILABLE'])
    // What caused it, and not that something did.
    const outage = warnings.find(({ code }) => code === 'COUNTERSIGN_DEPENDENCY_UNAVAILABLE')
    expect(outage?.message).toMatch(/ is unavailable \((?!UnavailableError|ERR_COUNTERSIGN)\w+\)/)
    await server.restart()
    // It is over with the first grant that comes 5 s after the last refusal.
    while (told().length < 2) await get()
    expect(await get()).toBe(200)
    expect(told()).toEqual(['COUNTERSIGN_DEPENDENCY_UNAVAILABLE', 'COUNTERSIGN_DEPENDENCY_RECOVERED'])
  } finally {
    stop()
    await running.close()
    redis.disconnect()
    await server.stop()
  }
}, 60_000)
