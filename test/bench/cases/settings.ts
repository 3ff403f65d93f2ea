import { createHmac, randomBytes } from 'node:crypto'
import { createSettingsSessions, memorySessions, requireSettingsSession } from '@countersign/settings-session'
import { redisSessions } from '@countersign/settings-session/redis'
import { RedisStore } from 'connect-redis'
import type { RequestHandler } from 'express'
import session from 'express-session'
import { Redis } from 'ioredis'
import { getIronSession, sealData } from 'iron-session'
import { createClient } from 'redis'
import { type Case, inTurn, type Setup, type Traffic, type Variant } from '../case.js'
import { wire } from '../wire.js'
import { inBatches } from './batches.js'
import { listeningAudit } from './listening.js'
import { open, openFromLink, type SettingsStore } from './open-session.js'
import { patient, startRedis } from './redis.js'
import { live, MEMORY_SIZES, REDIS_SIZES } from './sizes.js'

const LIVE = 1000

const presenting = (cookies: readonly string[]): Traffic =>
  inTurn(cookies, (cookie) => wire('GET', '/settings', { cookie, 'sec-fetch-site': 'same-origin' }))

/** The gate among so many sessions. */
export async function ours(store: SettingsStore, count: number, make: typeof open): Promise<Variant> {
  const audit = listeningAudit()
  const options = { baseUrl: 'https://app.example.com/settings', cookieName: 'bench', store, audit }
  const settings = createSettingsSessions(options)
  const tokens = await inBatches(count, (index) => make(store, `user-${index}`))
  const handler = requireSettingsSession({ settings, audit })
  const traffic = presenting(tokens.map((token) => `__Host-bench=${token}`))
  return { name: 'requireSettingsSession', isOurs: true, handler, ...traffic }
}

const SECRET = 'a-secret-of-the-benchmark'
/** As cookie-signature signs it. */
const signed = (id: string) => `s:${id}.${createHmac('sha256', SECRET).update(id).digest('base64').replace(/=+$/, '')}`

/** What express-session itself would store of a person who signed in. */
export function storeSession(store: session.Store, id: string, index: number): Promise<void> {
  const cookie = { originalMaxAge: 3_600_000, expires: new Date(Date.now() + 3_600_000), httpOnly: true, path: '/' }
  const data = { cookie: { ...cookie, sameSite: 'lax' as const }, userId: `user-${index}`, platform: 'bench' }
  return new Promise((resolve, reject) => {
    store.set(id, data, (error?: unknown) => (error === undefined || error === null ? resolve() : reject(error)))
  })
}

async function expressSession(name: string, store: session.Store, count: number): Promise<Variant> {
  const handler = session({
    store,
    secret: SECRET,
    resave: false,
    saveUninitialized: false,
    rolling: false,
    cookie: { httpOnly: true, sameSite: 'lax', maxAge: 3_600_000 },
  })
  const cookies = await inBatches(count, async (index) => {
    const id = randomBytes(24).toString('base64url')
    await storeSession(store, id, index)
    return `connect.sid=${encodeURIComponent(signed(id))}`
  })
  const guard: RequestHandler = (request, response, next) => {
    handler(request, response, (error?: unknown) => {
      if (error !== undefined) return next(error)
      if ((request.session as { userId?: string }).userId === undefined) response.status(401).end()
      else next()
    })
  }
  return { name, isOurs: false, handler: guard, ...presenting(cookies) }
}

/** What the documentation of ioredis users shows: a store of their own on GET, SET and PEXPIRE. */
class IoredisStore extends session.Store {
  readonly redis: Redis

  constructor(redis: Redis) {
    super()
    this.redis = redis
  }
  get(id: string, callback: (error: unknown, data?: session.SessionData | null) => void): void {
    this.redis.get(`sess:${id}`).then((text) => callback(null, text === null ? null : JSON.parse(text)), callback)
  }
  set(id: string, data: session.SessionData, callback?: (error?: unknown) => void): void {
    this.redis.set(`sess:${id}`, JSON.stringify(data), 'PX', 3_600_000).then(() => callback?.(), callback)
  }
  destroy(id: string, callback?: (error?: unknown) => void): void {
    this.redis.del(`sess:${id}`).then(() => callback?.(), callback)
  }
  override touch(id: string, _data: session.SessionData, callback?: () => void): void {
    this.redis.pexpire(`sess:${id}`, 3_600_000).then(() => callback?.(), callback)
  }
}

async function ironSession(): Promise<Variant> {
  const options = { cookieName: 'iron', password: 'a-password-of-the-benchmark-of-32-characters' }
  const sealed = await Promise.all(
    Array.from({ length: LIVE }, (_, index) => sealData({ userId: `user-${index}` }, { password: options.password })),
  )
  const handler: RequestHandler = (request, response, next) => {
    getIronSession<{ userId?: string }>(request, response, options).then((found) => {
      if (found.userId === undefined) response.status(401).end()
      else next()
    }, next)
  }
  return { name: 'iron-session, no store', isOurs: false, handler, ...presenting(sealed.map((seal) => `iron=${seal}`)) }
}

async function inMemory(count: number): Promise<Setup> {
  return {
    variants: [
      await ours(memorySessions({ maxEntries: count + 1 }), count, open),
      await expressSession('express-session, MemoryStore', new session.MemoryStore(), count),
    ],
    close: async () => undefined,
  }
}

/** `make`: as a link opens a session, or without one: to make a million takes a while. */
async function onRedis(count: number, make: typeof open): Promise<Setup> {
  const server = await startRedis()
  const client = new Redis(server.url)
  const nodeRedis = createClient({ url: server.url })
  await nodeRedis.connect()
  const variants = [
    await ours(redisSessions(client, patient), count, make),
    await expressSession('express-session, connect-redis', new RedisStore({ client: nodeRedis }), count),
  ]
  return {
    variants: variants.map((variant) => ({ ...variant, redis: server.url })),
    close: async () => {
      client.disconnect()
      nodeRedis.destroy()
      await server.close()
    },
  }
}

async function besideOthers(): Promise<Setup> {
  const { variants, close } = await onRedis(LIVE, openFromLink)
  const server = await startRedis()
  const client = new Redis(server.url)
  const overIoredis = await expressSession('express-session, ioredis', new IoredisStore(client), LIVE)
  return {
    variants: [...variants, { ...overIoredis, redis: server.url }, await ironSession()],
    close: async () => {
      await close()
      client.disconnect()
      await server.close()
    },
  }
}

export const settingsCases: readonly Case[] = [
  { id: 'settings-redis', title: 'Settings session, Redis', setup: besideOthers },
]

export const settingsGrowth: readonly Case[] = [
  { id: 'live-settings-memory', title: 'Live settings sessions, memory', setup: () => live(MEMORY_SIZES, inMemory) },
  {
    id: 'live-settings-redis',
    title: 'Live settings sessions, Redis',
    setup: () => live(REDIS_SIZES, (count) => onRedis(count, open)),
  },
]
