import { redisSessions } from '@countersign/settings-session/redis'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { Redis } from 'ioredis'
import { RedisServer } from '../../../test/support/redis-server.js'
import { type Harness, settingsApp } from './harness.js'
import { type HostileProvider, startHostileProvider } from './support/hostile-provider.js'
import { peopleOf } from './support/outage-people.js'
import { until } from './support/until.js'

let server: RedisServer
let redis: Redis
let provider: HostileProvider
let app: Harness
let people: ReturnType<typeof peopleOf>
beforeAll(async () => {
  server = await RedisServer.start(
    ...['--appendonly', 'yes', '--appendfsync', 'always'],
    ...['--loading-process-events-interval-bytes', '1024'],
  )
  redis = new Redis(server.url, { retryStrategy: () => 50 })
  redis.on('error', () => undefined)
  provider = await startHostileProvider()
  app = await settingsApp({
    store: redisSessions(redis, { commandTimeoutMs: 1200 }),
    oauth: provider.oauth,
    firstClaim: 'trust-link',
    realTime: true,
  })
  people = peopleOf(app, provider)
})
afterAll(async () => {
  server?.resume()
  await app?.close()
  await provider?.close()
  redis?.disconnect()
  await server?.stop()
})

/** What the server itself says, asked without waiting until it is ready. */
async function isLoading(): Promise<boolean> {
  const client = new Redis(server.url, { enableReadyCheck: false, lazyConnect: true, retryStrategy: () => null })
  client.on('error', () => undefined)
  try {
    await client.connect()
    return await client.get('x').then(
      () => false,
      (error: Error) => error.message.includes('LOADING'),
    )
  } catch {
    return false
  } finally {
    client.disconnect()
  }
}

describe('[settings-outage] a Redis that is', () => {
  test('hung is 503, and nothing takes effect when it resumes', async () => {
    const all = await people.prepare()
    server.pause()
    await people.expectAllRefused(all)
    server.resume()
    await people.expectRecovered(all)
  }, 60_000)

  test('down is 503', async () => {
    const all = await people.prepare()
    await server.kill()
    await people.expectAllRefused(all)
    await server.restart()
    await people.expectRecovered(all)
  }, 60_000)

  test('loading is 503 until the data is there', async () => {
    const all = await people.prepare()
    for (let count = 0; count < 300; count += 1) await redis.set(`filler${count}`, 'x'.repeat(1000))
    await server.command('BGREWRITEAOF')
    await until(
      async () => String(await server.command('INFO', 'persistence')),
      (info) => !info.includes('aof_rewrite_in_progress:1'),
    )
    await server.kill()
    // Slowed, so that the loading takes a while.
    Object.assign(server, { settings: [...server.settings, '--key-load-delay', '10000'] })
    const restarting = server.restart()
    await until(isLoading, (loading) => loading)
    await people.expect503(all.signedIn, () => all.signedIn.send('/settings'))
    await restarting
    await people.expectRecovered(all)
  }, 60_000)

  test('a replica is 503: it must not vouch for sessions that its master may have revoked', async () => {
    const all = await people.prepare()
    await server.command('REPLICAOF', '127.0.0.1', '1')
    await people.expectAllRefused(all)
    await server.command('REPLICAOF', 'NO', 'ONE')
    await people.expectRecovered(all)
  }, 60_000)

  test('full makes nothing new, but ends sessions and lets living ones in', async () => {
    const all = await people.prepare()
    await server.command('CONFIG', 'SET', 'maxmemory', '1')
    expect((await all.signedIn.send('/settings')).status).toBe(200)
    await people.expectWritesRefused(all)
    const leaving = all.signedIn.cookie
    expect((await all.signedIn.post('/settings/logout')).status).toBe(200)
    expect((await all.signedIn.send('/settings', { headers: { cookie: leaving } })).status).toBe(401)
    await server.command('CONFIG', 'SET', 'maxmemory', '0')
    await all.signedIn.open(await app.link({ userId: all.userId }))
    const user = { platform: 'telegram', userId: all.claimant }
    expect(await app.settings.identityOf(user)).toBeUndefined()
    expect((await all.opening.post(all.form.action, all.form.fields)).status).toBe(200)
    // The provider's answer was taken, so the person signs in once more; the link still is theirs.
    provider.claims = { sub: all.claimant }
    const start = await all.claiming.send('/settings/oauth/start')
    const callback = provider.answerTo(start.headers.get('location') as string)
    expect((await all.claiming.send(callback)).status).toBe(303)
  })
})
