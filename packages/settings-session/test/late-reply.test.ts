import { redisSessions } from '@countersign/settings-session/redis'
import type { SettingsStore } from '@countersign/settings-session/store'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals'
import { Redis } from 'ioredis'
import { type HangingRedis, hangingRedis } from '../../../test/support/hanging-redis.js'
import { RedisServer } from '../../../test/support/redis-server.js'
import { mintTag, mintToken, type Token } from '../src/tokens.js'
import { claim, issue, look, newIdentity, newSessionToken, newUser, open, opened, peek } from './support/store-world.js'

/**
 * 520 ms each way with a deadline of a second: a script runs in time, and its reply is late. It is waited for two deadlines
 * more, so a machine may be busy for nearly two seconds.
 */
const DEADLINE_MS = 1000
const ONE_WAY_MS = 520
const COUNT = 100

let server: RedisServer
let proxy: HangingRedis
let redis: Redis
let direct: Redis
let store: SettingsStore
let watcher: SettingsStore
beforeAll(async () => {
  server = await RedisServer.start()
  proxy = await hangingRedis(server.port)
  direct = new Redis(server.url)
})
beforeEach(async () => {
  proxy.resume()
  await direct.flushall()
  redis = new Redis(proxy.url, { retryStrategy: () => 50 })
  redis.on('error', () => undefined)
  store = redisSessions(redis, { commandTimeoutMs: DEADLINE_MS })
  watcher = redisSessions(direct, { commandTimeoutMs: 10_000 })
  await sent(() => look(store, newSessionToken(newUser())))
})
afterEach(() => redis.disconnect())
afterAll(async () => {
  direct.disconnect()
  await proxy.close()
  await server.stop()
})

/** What reaches a busy server too late does nothing, and says so: it goes again. A reply that was lost fails the test. */
async function sent<T>(work: () => T | Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await work()
    } catch (error) {
      if (!(error as Error).message.endsWith('reached the server too late and did nothing')) throw error
    }
  }
}

const times = <T>(work: (index: number) => Promise<T>) => Promise.all(Array.from({ length: COUNT }, (_, i) => work(i)))

test(`[settings-late-reply] with every byte late in both directions each of ${COUNT} people gets in, signed in, once`, async () => {
  proxy.delay(ONE_WAY_MS)
  const links = await times(() => sent(() => issue(store, newUser())))
  const sessions = await Promise.all(links.map((link) => sent(() => open(store, link, { state: 'awaiting_identity' }))))
  expect(new Set(sessions.map(({ outcome }) => outcome))).toEqual(new Set(['opened']))
  const claims = await Promise.all(sessions.map(({ session }) => sent(() => claim(store, session, newIdentity()))))
  expect(new Set(claims.map(({ outcome }) => outcome))).toEqual(new Set(['activated']))
  proxy.resume()
  const found = await Promise.all(claims.map(({ rotated }) => look(watcher, rotated)))
  expect(new Set(found)).toEqual(new Set(['found']))
  const before = await Promise.all(sessions.map(({ session }) => look(watcher, session)))
  expect(new Set(before)).toEqual(new Set(['unknown']))
  expect(new Set(await Promise.all(links.map((link) => peek(watcher, link))))).toEqual(new Set(['spent']))
}, 60_000)

test('[settings-late-reply] a sign-in at a provider is taken once, and a revocation is known to be done', async () => {
  const users = Array.from({ length: COUNT }, () => newUser())
  const sessions = await Promise.all(users.map((user) => opened(watcher, user)))
  const signIns = sessions.map(({ session }) => ({ session, ref: mintToken('t', mintTag(0)) }))
  proxy.delay(ONE_WAY_MS)
  await Promise.all(signIns.map((one) => sent(() => store.beginOAuth({ ...one, isAgain: false, ttlMs: 60_000 }))))
  const taken = await Promise.all(signIns.map(({ ref }) => sent(() => store.takeOAuth(ref))))
  expect(taken.filter((one) => one !== undefined)).toHaveLength(COUNT)
  expect(await Promise.all(signIns.map(({ ref }) => sent(() => store.takeOAuth(ref))))).toEqual(
    Array(COUNT).fill(undefined),
  )
  const ended = await Promise.all(sessions.map(({ session }) => sent(() => store.revoke(session.tag))))
  expect(ended.filter((one) => one !== undefined)).toHaveLength(COUNT)
  await Promise.all(users.map((user) => sent(() => store.revokeAll(user))))
  proxy.resume()
  const found = await Promise.all(sessions.map(({ session }) => look(watcher, session)))
  expect(new Set(found)).toEqual(new Set(['revoked']))
}, 60_000)

test('[settings-late-reply] a link whose opening was answered 503 opens for the same browser again, and for no other', async () => {
  const links = await times(() => issue(watcher, newUser()))
  // Lost for good: more than the patience that changes have.
  proxy.hangReplies()
  const sessions = links.map((link) => newSessionToken(link))
  const tries = await Promise.allSettled(
    links.map((link, i) => open(store, link, { attempt: `browser${i}`, session: sessions[i] as Token })),
  )
  expect(new Set(tries.map(({ status }) => status))).toEqual(new Set(['rejected']))
  proxy.resume()
  const again = await Promise.all(links.map((link, i) => open(watcher, link, { attempt: `browser${i}` })))
  expect(new Set(again.map(({ outcome }) => outcome))).toEqual(new Set(['opened']))
  const others = await Promise.all(links.map((link) => open(watcher, link)))
  expect(new Set(others.map(({ outcome }) => outcome))).toEqual(new Set(['spent']))
}, 60_000)
