import { createAudit } from '@countersign/core'
import { type createSettingsSessions, requireSettingsSession } from '@countersign/settings-session'
import { redisSessions } from '@countersign/settings-session/redis'
import { expect, test } from '@jest/globals'
import { Redis } from 'ioredis'
import { RedisServer } from '../../../test/support/redis-server.js'
import { settingsApp } from './harness.js'

test('[settings-hot-path] with the memory store a decision is made in the same tick, granted or denied', async () => {
  const ticks: string[] = []
  const store = { current: undefined as ReturnType<typeof createSettingsSessions> | undefined }
  const app = await settingsApp({
    before: (host) =>
      host.use('/probe', (request, response) => {
        const gate = requireSettingsSession({ settings: store.current as never, audit: createAudit() })
        let decided = 'later'
        gate(request, response, () => {
          decided = 'granted in the same tick'
        })
        if (response.headersSent) decided = 'denied in the same tick'
        ticks.push(decided)
        if (!response.headersSent) response.end()
      }),
  })
  store.current = app.settings
  const person = app.browser()
  await person.confirm(await app.link())
  await person.send('/probe')
  await app.browser().send('/probe')
  await person.send('/probe', {
    headers: { cookie: `__Host-countersign-settings=s1.0${'A'.repeat(16)}.${'A'.repeat(43)}` },
  })
  expect(ticks).toEqual(['granted in the same tick', 'denied in the same tick', 'denied in the same tick'])
  await app.close()
})

test('[settings-hot-path] with Redis a decision is one command, and a decision without a session is none', async () => {
  const server = await RedisServer.start()
  const redis = new Redis(server.url)
  const app = await settingsApp({ store: redisSessions(redis, { commandTimeoutMs: 20_000 }), realTime: true })
  const person = app.browser()
  await person.confirm(await app.link())
  await person.send('/settings')
  await server.command('CONFIG', 'RESETSTAT')
  for (let round = 0; round < 50; round += 1) expect((await person.send('/settings')).status).toBe(200)
  expect((await app.browser().send('/settings')).status).toBe(401)
  const stats = String(await server.command('INFO', 'commandstats'))
  const calls = (command: string) => Number(new RegExp(`cmdstat_${command}:calls=(\\d+)`).exec(stats)?.[1] ?? 0)
  expect(calls('evalsha') + calls('eval')).toBe(50)
  // Inside the script: the time, the session, the epoch by a read that a replica refuses, and when it was used.
  expect([calls('hmget'), calls('getex')]).toEqual([50, 50])
  expect(calls('hset')).toBeLessThanOrEqual(50)
  await app.close()
  redis.disconnect()
  await server.stop()
})
