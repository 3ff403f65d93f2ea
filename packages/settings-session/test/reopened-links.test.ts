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

test('in memory, a session that waited is deleted when another browser takes its link; an ended one leaves after a minute', async () => {
  const clock = fakeClock()
  const store = memorySessions({ clock })
  const sessions = await reopened(store)
  const last = sessions.at(-1) as Token
  expect(await look(store, sessions[18] as Token)).toBe('unknown')
  await store.revoke(last.tag)
  clock.advance(59_999)
  expect(await look(store, last)).toBe('revoked')
  clock.advance(1)
  expect(await look(store, last)).toBe('unknown')
})

test('in Redis, too', async () => {
  const server = await RedisServer.start()
  const redis = new Redis(server.url)
  try {
    const store = redisSessions(redis, { commandTimeoutMs: 20_000 })
    const last = (await reopened(store)).at(-1) as Token
    const keys = await redis.keys('*:s:*')
    expect(keys.map((key) => key.slice(-last.tag.length))).toEqual([last.tag])
    expect(await redis.pttl(keys[0] as string)).toBeGreaterThan(60_000)
    await store.revoke(last.tag)
    expect(await look(store, last)).toBe('revoked')
    expect(await redis.pttl(keys[0] as string)).toBeLessThanOrEqual(60_000)
  } finally {
    redis.disconnect()
    await server.stop()
  }
})
