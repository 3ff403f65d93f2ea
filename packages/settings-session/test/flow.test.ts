import { redisSessions } from '@countersign/settings-session/redis'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { Redis } from 'ioredis'
import { RedisServer } from '../../../test/support/redis-server.js'
import { type Harness, settingsApp } from './harness.js'

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

describe.each([
  ['memory', () => settingsApp()],
  ['redis', () => settingsApp({ store: redisSessions(redis, { commandTimeoutMs: 20_000 }), realTime: true })],
] as const)('with the %s store', (_name, start) => {
  let app: Harness
  beforeAll(async () => {
    app = await start()
  })
  afterAll(() => app.close())

  test('a link leads through the confirm page to the settings, once', async () => {
    const link = await app.link({ agentId: 'a1' })
    const person = app.browser()
    const answer = await person.confirm(link)
    expect(answer.status).toBe(303)
    expect(answer.headers.get('location')).toBe('/settings')
    const settings = await person.open('/settings')
    expect(settings.status).toBe(200)
    expect(((await settings.json()) as { principal: object }).principal).toEqual({
      kind: 'settings-session',
      id: 'telegram:u1',
      sessionId: expect.stringMatching(/^[0-9a-f][\w-]{16}$/),
      platform: 'telegram',
      userId: 'u1',
      agentId: 'a1',
    })
    expect((await app.browser().open(link)).status).toBe(401)
    expect(app.last()).toBe('spent')
    expect((await app.browser().open('/settings')).status).toBe(401)
    expect(app.last()).toBe('missing')
  })

  test('signing out and revoking end the session', async () => {
    const person = app.browser()
    await person.confirm(await app.link({ userId: 'u2' }))
    const { cookie } = person
    expect((await person.post('/settings/logout')).status).toBe(200)
    expect(person.cookies.size).toBe(0)
    expect((await person.send('/settings', { headers: { cookie } })).status).toBe(401)
    expect(app.last()).toBe('revoked')
    await person.confirm(await app.link({ userId: 'u2' }))
    const [session] = await app.settings.list({ platform: 'telegram', userId: 'u2' })
    expect(await app.settings.revoke(String(session?.id))).toBe(true)
    expect(await app.settings.revoke(String(session?.id))).toBe(false)
    expect((await person.send('/settings')).status).toBe(401)
    await person.confirm(await app.link({ userId: 'u2' }))
    const unopened = await app.link({ userId: 'u2' })
    await app.settings.revokeAll({ platform: 'telegram', userId: 'u2' })
    expect((await person.send('/settings')).status).toBe(401)
    expect((await person.send(unopened)).status).toBe(401)
    expect(app.last()).toBe('revoked')
  })
})
