import { redisSessions } from '@countersign/settings-session/redis'
import type { SettingsStore } from '@countersign/settings-session/store'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { Redis } from 'ioredis'
import { RedisServer } from '../../../test/support/redis-server.js'
import type { Token } from '../src/tokens.js'
import { claim, LIMITS, newIdentity, newUser, opened, rebind } from './support/store-world.js'

const patient = { commandTimeoutMs: 20_000 }

let server: RedisServer
let redis: Redis
let store: SettingsStore
beforeAll(async () => {
  server = await RedisServer.start()
  redis = new Redis(server.url)
  store = redisSessions(redis, patient)
})
afterAll(async () => {
  redis.disconnect()
  await server.stop()
})

/** Packed by the first read, so that the next one is plain. */
async function packed() {
  const user = newUser()
  const { session, link } = await opened(store, user)
  const first = await store.read(session)
  expect(await redis.keys(`*s:${session.tag}`)).toHaveLength(1)
  return { user, session, link, first }
}

/** What a process finds that knows nothing of the session, and so asks for all of its record. */
const readWhole = (session: Token) => redisSessions(redis, patient).read(session)

/** Without what depends on the moment of reading. */
const timeless = (found: Awaited<ReturnType<SettingsStore['read']>>) =>
  found.outcome === 'found' ? { ...found.session, lastSeenAt: 0, verifiedMsAgo: 0 } : found

test('the read of a packed session finds what the whole record says', async () => {
  const { session, first } = await packed()
  const stats = async () => String(await server.command('INFO', 'commandstats'))
  await server.command('CONFIG', 'RESETSTAT')
  const found = await store.read(session)
  expect([await stats(), (await stats()).includes('hgetall')]).toEqual([expect.stringContaining('getex'), false])
  expect(timeless(found)).toEqual(timeless(first))
  expect(timeless(found)).toEqual(timeless(await readWhole(session)))
  if (found.outcome !== 'found' || first.outcome !== 'found') throw new Error('the session was not found')
  expect(found.session.lastSeenAt).toBeGreaterThanOrEqual(first.session.lastSeenAt)
  expect(found.session.verifiedMsAgo).toBeLessThan(20_000)
  expect(await store.read({ ...session, hash: 'A'.repeat(43) })).toMatchObject({ reason: 'unknown' })
})

const changes: readonly [string, (of: Awaited<ReturnType<typeof packed>>) => unknown][] = [
  ['a revocation', ({ session }) => store.revoke(session.tag)],
  ['a revocation of all', ({ user }) => store.revokeAll(user)],
  ['a sign-in', ({ session }) => claim(store, session, newIdentity())],
  ['a claim that is held', ({ session }) => store.holdClaim(session, newIdentity(), 'claimant')],
  [
    'an answer to a held claim',
    async ({ session }) => {
      await store.holdClaim(session, newIdentity(), 'claimant')
      await store.answerClaim(session.tag, 'claimant', true)
    },
  ],
  [
    'the sign-in of somebody else',
    async ({ user, session }) => {
      await rebind(store, user, newIdentity())
      await claim(store, session, newIdentity())
    },
  ],
  [
    "a claim of another user's identity",
    async ({ session }) => {
      const identity = newIdentity()
      await rebind(store, newUser(), identity)
      await claim(store, session, identity)
    },
  ],
  [
    'an opening beyond the bound',
    async ({ user }) => {
      for (let count = 0; count < LIMITS.maxSessions; count += 1) await opened(store, user)
    },
  ],
]

test.each(changes)('after %s a packed session is what its record says', async (_what, change) => {
  const one = await packed()
  await change(one)
  const whole = timeless(await readWhole(one.session))
  expect(timeless(await store.read(one.session))).toEqual(whole)
  expect(whole).not.toEqual(timeless(one.first))
})
