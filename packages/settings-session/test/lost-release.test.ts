import { UnavailableError } from '@countersign/core'
import { memorySessions } from '@countersign/settings-session'
import { redisSessions } from '@countersign/settings-session/redis'
import type { SettingsStore } from '@countersign/settings-session/store'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { Redis } from 'ioredis'
import { fakeClock } from '../../../test/support/fake-clock.js'
import { RedisServer } from '../../../test/support/redis-server.js'
import type { Token } from '../src/tokens.js'
import { claim, look, newIdentity, newUser, opened } from './support/store-world.js'

const awaiting = { state: 'awaiting_identity' } as const
const patient = { commandTimeoutMs: 20_000 }

let server: RedisServer
let redis: Redis
beforeAll(async () => {
  server = await RedisServer.start()
  redis = new Redis(server.url)
})
afterAll(async () => {
  redis?.disconnect()
  await server?.stop()
})

/** An identity that is another user's, and a session that may release it. */
async function world(store: SettingsStore) {
  const [other, identity] = [newUser(), newIdentity()]
  await claim(store, (await opened(store, other, awaiting)).session, identity)
  const { rotated } = await claim(store, (await opened(store, newUser(), awaiting)).session, identity)
  return { other, identity, session: rotated }
}

type Command = (...args: unknown[]) => Promise<unknown>

describe('[settings-release] a release', () => {
  test.each(['released', 'identity', 'evict'])(
    'whose step %s was done, and its answer lost, tells a repeat from whom it was',
    async (step) => {
      const client = new Redis(server.url)
      let losses = 0
      const define = client.defineCommand.bind(client)
      client.defineCommand = (name, definition) => {
        define(name, definition)
        if (!name.startsWith(`countersign_settings_${step}_`)) return
        const commands = client as unknown as Record<string, Command>
        const send = (commands[name] as Command).bind(client)
        commands[name] = async (...args) => {
          const reply = await send(...args)
          if (isLosing && losses++ === 0) throw new Error('Connection is closed.')
          return reply
        }
      }
      let isLosing = false
      const store = redisSessions(client, patient)
      const { other, identity, session } = await world(store)
      isLosing = true
      await expect(Promise.resolve(store.freeIdentity(session))).rejects.toBeInstanceOf(UnavailableError)
      expect(losses).toBe(1)
      expect(await store.freeIdentity(session)).toMatchObject({ outcome: 'freed', former: { user: other } })
      expect(await store.identityOf(other)).toBeUndefined()
      expect((await claim(store, session, identity)).outcome).toBe('activated')
      client.disconnect()
    },
  )

  test('is possible for ten minutes: then the session has expired, wherever it is shown', async () => {
    const clock = fakeClock()
    const lasting = { limits: { idleMs: 3_600_000, absoluteMs: 3_600_000, maxSessions: 3 } }
    const late = async (store: SettingsStore, pass: (session: Token, ms: number) => unknown) => {
      const [other, identity] = [newUser(), newIdentity()]
      await claim(store, (await opened(store, other, awaiting)).session, identity)
      const second = await opened(store, newUser(), { ...awaiting, ...lasting })
      const { rotated } = await claim(store, second.session, identity)
      await pass(rotated, 599_000)
      expect(await look(store, rotated)).toBe('found')
      await pass(rotated, 1_500)
      const refused = { outcome: 'refused', reason: 'expired', lateMs: expect.any(Number) }
      const read = await store.read(rotated)
      expect([read, await store.freeIdentity(rotated)]).toEqual([refused, refused])

      expect((await claim(store, rotated, identity)).outcome).toBe('expired')
      expect(await store.identityOf(other)).toEqual(identity)
    }
    await late(memorySessions({ clock }), (_session, ms) => clock.advance(ms))
    // Redis's own time does not pass for a test: the proof is made older.
    await late(redisSessions(redis, patient), async ({ tag }, ms) => {
      for (const key of await redis.keys(`*:s:${tag}`)) await redis.hincrby(key, 'v', -ms)
    })
  })

  test('that was claimed lasts as long as any other session', async () => {
    const clock = fakeClock()
    const store = memorySessions({ clock })
    const limits = { idleMs: 3_600_000, absoluteMs: 3_600_000, maxSessions: 3 }
    const identity = newIdentity()
    await claim(store, (await opened(store, newUser(), awaiting)).session, identity)
    const second = await opened(store, newUser(), { ...awaiting, limits })
    const { rotated } = await claim(store, second.session, identity)
    await store.freeIdentity(rotated)
    const mine = await claim(store, rotated, identity)
    clock.advance(3_500_000)
    expect(await look(store, mine.rotated)).toBe('found')
  })
})
