import { memorySecrets, requireHmac, xHeaders } from '@countersign/hmac'
import { postgresUsage } from '@countersign/hmac/postgres'
import { redisUsage } from '@countersign/redis'
import { PGlite } from '@electric-sql/pglite'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import express from 'express'
import { Redis } from 'ioredis'
import { recordedAudit } from '../../../test/support/audit-recorder.js'
import { serve } from '../../../test/support/http-server.js'
import { RedisServer } from '../../../test/support/redis-server.js'
import { AUDIENCE, SECRET, send } from './harness.js'
import { migration } from './postgres-harness.js'

let server: RedisServer
let redis: Redis
let db: PGlite
beforeAll(async () => {
  server = await RedisServer.start()
  redis = new Redis(server.url, { keyPrefix: 'app:' })
  db = new PGlite()
  await db.exec(migration)
}, 60_000)
afterAll(async () => {
  redis.disconnect()
  await Promise.all([server.stop(), db.close()])
})

describe.each([
  ['Redis', (name: string) => redisUsage(redis, { name, commandTimeoutMs: 20_000 })],
  ['PostgreSQL', (name: string) => postgresUsage(db, { name })],
])('who still uses the old key, kept in %s', (_name, make) => {
  /** A process of its own, as far as the gate knows. */
  async function start(name = 'hmac') {
    const { audit } = recordedAudit()
    const secrets = memorySecrets([{ caller: 'scheduler', version: 1, secret: SECRET }], { audit })
    let isEnforced = false
    const gate = requireHmac({
      ...{ secrets, audit, audience: AUDIENCE, formats: [xHeaders()] },
      legacy: { headers: ['x-service-key'], keys: { scheduler: ['old-key'], '*shared*': ['everyones-key'] } },
      enforce: () => isEnforced,
      legacyUsage: make(name),
    })
    const running = await serve(express().use(gate, (_request, response) => void response.end()))
    return {
      gate,
      enforce() {
        isEnforced = true
      },
      use: async (key: string) => (await send(running.port, 'POST', '/jobs', { 'x-service-key': key })).status,
      close: () => running.close(),
    }
  }

  test('outlives a restart, is that of all processes, and of each gate by itself', async () => {
    const before = Date.now()
    const first = await start()
    expect(await first.gate.legacyUsage()).toEqual([])
    expect([await first.use('old-key'), await first.use('everyones-key')]).toEqual([200, 200])
    const second = await start()
    second.enforce()
    expect(await second.use('old-key')).toBe(401)
    await first.gate.legacyUsage()
    await first.close()
    const after = Date.now()
    const uses = await second.gate.legacyUsage()
    expect(uses.map(({ caller, accepted, refused }) => [caller, accepted, refused])).toEqual([
      ['*shared*', 1, 0],
      ['scheduler', 1, 1],
    ])
    for (const { lastSeenAt } of uses) {
      expect(lastSeenAt).toBeGreaterThanOrEqual(before)
      expect(lastSeenAt).toBeLessThanOrEqual(after)
    }
    await second.close()
    const restarted = await start()
    expect(await restarted.gate.legacyUsage()).toEqual(uses)
    await restarted.close()
    const other = await start('other')
    expect(await other.gate.legacyUsage()).toEqual([])
    await other.close()
  })
})

test('a store that cannot be asked holds up no request, and says so when it is asked', async () => {
  const { audit } = recordedAudit()
  const fail = () => Promise.reject(new Error('down'))
  const gate = requireHmac({
    secrets: memorySecrets([{ caller: 'scheduler', version: 1, secret: SECRET }], { audit }),
    ...{ audit, audience: AUDIENCE, legacyUsage: { add: fail, read: fail } },
    legacy: { headers: ['x-service-key'], keys: { scheduler: ['old-key'] } },
  })
  const running = await serve(express().use(gate, (_request, response) => void response.end()))
  expect((await send(running.port, 'POST', '/jobs', { 'x-service-key': 'old-key' })).status).toBe(200)
  await expect(async () => gate.legacyUsage()).rejects.toThrow('down')
  await running.close()
})
