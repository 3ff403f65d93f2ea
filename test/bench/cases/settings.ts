import { createSettingsSessions, requireSettingsSession } from '@countersign/settings-session'
import { redisSessions } from '@countersign/settings-session/redis'
import { RedisStore } from 'connect-redis'
import express, { type Express, type RequestHandler } from 'express'
import session from 'express-session'
import { Redis } from 'ioredis'
import { getIronSession, sealData } from 'iron-session'
import { createClient } from 'redis'
import { serve } from '../../support/http-server.js'
import type { Case, Setup, Variant } from '../case.js'
import { wire } from '../wire.js'
import { listeningAudit } from './listening.js'
import { openSession, signIn } from './open-session.js'
import { startRedis } from './redis.js'

const LIVE = 200

const inTurn = (cookies: readonly string[]): Variant['wires'] => {
  let turn = 0
  return (count) =>
    Array.from({ length: count }, () =>
      wire('GET', '/settings', { cookie: cookies[turn++ % cookies.length] as string, 'sec-fetch-site': 'same-origin' }),
    )
}

async function ours(redis: Redis): Promise<Variant> {
  const audit = listeningAudit()
  let app: Express | undefined
  const running = await serve((request, response) => app?.(request, response))
  const settings = createSettingsSessions({ baseUrl: `${running.url}/settings`, store: redisSessions(redis), audit })
  app = express().use('/settings', settings.routes())
  const cookies: string[] = []
  for (let index = 0; index < LIVE; index += 1) cookies.push(await openSession(settings, `user-${index}`))
  await running.close()
  return {
    name: 'requireSettingsSession',
    isOurs: true,
    handler: requireSettingsSession({ settings, audit }),
    wires: inTurn(cookies),
  }
}

type Store = session.Store

async function expressSession(name: string, store: Store): Promise<Variant> {
  const handler = session({
    store,
    secret: 'a-secret-of-the-benchmark',
    resave: false,
    saveUninitialized: false,
    rolling: false,
    cookie: { httpOnly: true, sameSite: 'lax', maxAge: 3_600_000 },
  })
  const app = express()
  app.use(handler)
  app.post('/sign-in', (request, response) => {
    Object.assign(request.session, { userId: 'user', platform: 'test' })
    response.status(204).end()
  })
  const cookies = await signIn(app, LIVE)
  const guard: RequestHandler = (request, response, next) => {
    handler(request, response, (error?: unknown) => {
      if (error !== undefined) return next(error)
      if ((request.session as { userId?: string }).userId === undefined) response.status(401).end()
      else next()
    })
  }
  return { name, isOurs: false, handler: guard, wires: inTurn(cookies) }
}

/** What the documentation of ioredis users shows: a store of their own on GET, SET and PEXPIRE. */
class IoredisStore extends session.Store {
  constructor(readonly redis: Redis) {
    super()
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
  return { name: 'iron-session, no store', isOurs: false, handler, wires: inTurn(sealed.map((seal) => `iron=${seal}`)) }
}

async function onRedis(): Promise<Setup> {
  const server = await startRedis()
  const clients = [new Redis(server.url), new Redis(server.url)] as const
  const nodeRedis = createClient({ url: server.url })
  await nodeRedis.connect()
  return {
    variants: [
      await ours(clients[0]),
      await expressSession('express-session, connect-redis', new RedisStore({ client: nodeRedis })),
      await expressSession('express-session, ioredis', new IoredisStore(clients[1])),
      await ironSession(),
    ],
    close: async () => {
      for (const client of clients) client.disconnect()
      nodeRedis.destroy()
      await server.close()
    },
  }
}

export const settingsCases: readonly Case[] = [
  { id: 'settings-redis', title: 'Settings session, Redis', setup: onRedis },
]
