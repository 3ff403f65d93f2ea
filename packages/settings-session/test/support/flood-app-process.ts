// The app that is flooded, as a process of its own: /open asks for a sign-in, /plain does not. Both are on one store.
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { createSettingsSessions, memorySessions, requireSettingsSession } from '@countersign/settings-session'
import { redisSessions } from '@countersign/settings-session/redis'
import express from 'express'
import { Redis } from 'ioredis'
import { BOT_TOKEN } from './signed-data.js'

const { REDIS_URL, MAX_ENTRIES } = process.env
const store =
  REDIS_URL === undefined
    ? memorySessions({ maxEntries: Number(MAX_ENTRIES) })
    : redisSessions(new Redis(REDIS_URL, { commandTimeout: 20_000 }), { commandTimeoutMs: 20_000 })

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

const app = express()
const server = app.listen(0, '127.0.0.1', () => {
  const { port } = server.address() as { port: number }
  const url = `http://127.0.0.1:${port}`
  // Nobody gets as far as to the provider.
  const oauth = { issuer: url, clientId: 'settings', clientSecret: 'a-secret-of-the-tests' }
  const made = {
    open: createSettingsSessions({
      baseUrl: `${url}/open`,
      store,
      oauth,
      firstClaim: 'trust-link',
      cookieName: 'open',
    }),
    plain: createSettingsSessions({ baseUrl: `${url}/plain`, store, telegram: { botToken: BOT_TOKEN } }),
  }
  for (const [path, settings] of Object.entries(made)) {
    app.use(`/${path}`, settings.routes())
    app.use(`/${path}`, requireSettingsSession({ settings }), (request, response) => {
      response.json({ user: request.principal?.id })
    })
  }
  app.get('/link/:at/:user', async (request, response) => {
    const { at, user } = request.params
    const link = await made[at as keyof typeof made].issueLink({ platform: 'flood', userId: user })
    response.send(link.url.reveal('deliver-to-user'))
  })
  app.get('/heap', (_request, response) => {
    collect()
    response.json(process.memoryUsage().heapUsed)
  })
  console.log(port)
})
