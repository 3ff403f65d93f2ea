import { memorySessions } from '@countersign/settings-session'
import { redisSessions } from '@countersign/settings-session/redis'
import type { SettingsStore } from '@countersign/settings-session/store'
import { expect, test } from '@jest/globals'
import { Redis } from 'ioredis'
import { fakeClock } from '../../../test/support/fake-clock.js'
import { RedisServer } from '../../../test/support/redis-server.js'
import type { Token } from '../src/tokens.js'
import { issue, look, newUser, open } from './support/store-world.js'

/** One link, opened in one browser after another: the sessions, the last one last. */
async function reopened(store: SettingsStore): Promise<readonly Token[]> {
  const link = await issue(store, newUser(), { ttlMs: 600_000 })
  const sessions: Token[] = []
  for (let count = 0; count < 20; count += 1) {
    sessions.push((await open(store, link, { state: 'awaiting_identity' })).session)
  }
  return sessions
}

test('in memory, a session that waited when another browser took its link is forgotten after a minute', async () => {
  const clock = fakeClock()
  const store = memorySessions({ clock })
  const sessions = await reopened(store)
  expect(await look(store, sessions[0] as Token)).toBe('revoked')
  clock.advance(59_999)
  expect(await look(store, sessions[18] as Token)).toBe('revoked')
  // Idle, the last one is remembered all the same.
  clock.advance(2)
  const found = await Promise.all(sessions.map((session) => look(store, session)))
  expect([new Set(found.slice(0, -1)), found.at(-1)]).toEqual([new Set(['unknown']), 'idle'])
})

test('in Redis, too', async () => {
  const server = await RedisServer.start()
  const redis = new Redis(server.url)
  try {
    const sessions = await reopened(redisSessions(redis, { commandTimeoutMs: 20_000 }))
    const keys = await redis.keys('*:s:*')
    expect(keys).toHaveLength(sessions.length)
    const left = (await Promise.all(keys.map((key) => redis.pttl(key)))).sort((a, b) => a - b)
    expect(Math.max(...left.slice(0, -1))).toBeLessThanOrEqual(60_000)
    expect(left.at(-1)).toBeGreaterThan(60_000)
  } finally {
    redis.disconnect()
    await server.stop()
  }
})
