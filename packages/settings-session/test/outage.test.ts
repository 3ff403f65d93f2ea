import { redisSessions } from '@countersign/settings-session/redis'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { Redis } from 'ioredis'
import { RedisServer } from '../../../test/support/redis-server.js'
import type { TestBrowser } from './browser.js'
import { type Harness, settingsApp } from './harness.js'
import { type HostileProvider, startHostileProvider } from './support/hostile-provider.js'
import { until } from './support/until.js'

let server: RedisServer
let redis: Redis
let provider: HostileProvider
let app: Harness
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
})
afterAll(async () => {
  server?.resume()
  await app?.close()
  await provider?.close()
  redis?.disconnect()
  await server?.stop()
})

let users = 0

/** People at every stage of the way, before the fault. */
async function prepare() {
  const userId = `outage${users++}`
  provider.claims = { sub: userId }
  const signedIn = app.browser()
  await signedIn.confirm(await app.link({ userId }))
  const start = await signedIn.send('/settings/oauth/start')
  await signedIn.send(provider.answerTo(start.headers.get('location') as string))
  const unopened = await app.link({ userId })
  const opening = app.browser()
  const form = await opening.form(await opening.open(await app.link({ userId })))
  const claiming = app.browser()
  const claimant = `${userId}-new`
  await claiming.confirm(await app.link({ userId: claimant }))
  const asked = await claiming.send('/settings/oauth/start')
  const callback = provider.answerTo(asked.headers.get('location') as string)
  return { userId, claimant, signedIn, unopened, opening, form, claiming, callback }
}

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

type People = Awaited<ReturnType<typeof prepare>>

async function expect503(browser: TestBrowser, send: () => Promise<Response>): Promise<void> {
  const before = browser.cookie
  const answer = await send()
  expect([answer.status, answer.headers.get('retry-after'), answer.headers.get('www-authenticate')]).toEqual([
    503,
    '1',
    null,
  ])
  expect(answer.headers.getSetCookie()).toEqual([])
  expect(browser.cookie).toBe(before)
}

/** Whatever makes or changes something is 503. */
async function expectWritesRefused({ userId, unopened, opening, form, claiming, callback }: People): Promise<void> {
  await expect503(opening, () => opening.post(form.action, form.fields))
  await expect503(claiming, () => claiming.send(callback))
  await expect(app.settings.issueLink({ platform: 'telegram', userId })).rejects.toMatchObject({
    code: 'ERR_COUNTERSIGN_UNAVAILABLE',
  })
  expect(unopened).toContain('?s=l1.')
}

async function expectAllRefused(people: People): Promise<void> {
  const { signedIn, unopened } = people
  await expect503(signedIn, () => signedIn.send('/settings'))
  expect(app.last()).toBe('session_store')
  const newcomer = app.browser()
  await expect503(newcomer, () => newcomer.send(unopened))
  await expect503(signedIn, () => signedIn.post('/settings/logout'))
  await expectWritesRefused(people)
}

/** Nothing was made, spent or lost: everybody continues where they were. */
async function expectRecovered({
  claimant,
  signedIn,
  unopened,
  opening,
  form,
  claiming,
  callback,
}: People): Promise<void> {
  const statuses = new Set<number>()
  await until(
    async () => (await signedIn.send('/settings')).status,
    (status) => statuses.add(status).has(200),
  )
  expect([...statuses].filter((status) => status !== 200 && status !== 503)).toEqual([])
  const user = { platform: 'telegram', userId: claimant }
  expect(await app.settings.identityOf(user)).toBeUndefined()
  expect((await opening.post(form.action, form.fields)).status).toBe(200)
  expect((await app.browser().open(unopened)).status).toBe(200)
  provider.claims = { sub: claimant }
  expect((await claiming.send(callback)).status).toBe(303)
  expect(await app.settings.identityOf(user)).toMatchObject({ subject: claimant })
}

describe('[settings-outage] a Redis that is', () => {
  test('hung is 503, and nothing takes effect when it resumes', async () => {
    const people = await prepare()
    server.pause()
    await expectAllRefused(people)
    server.resume()
    await expectRecovered(people)
  }, 60_000)

  test('down is 503', async () => {
    const people = await prepare()
    await server.kill()
    await expectAllRefused(people)
    await server.restart()
    await expectRecovered(people)
  }, 60_000)

  test('loading is 503 until the data is there', async () => {
    const people = await prepare()
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
    await expect503(people.signedIn, () => people.signedIn.send('/settings'))
    await restarting
    await expectRecovered(people)
  }, 60_000)

  test('a replica is 503: it must not vouch for sessions that its master may have revoked', async () => {
    const people = await prepare()
    await server.command('REPLICAOF', '127.0.0.1', '1')
    await expectAllRefused(people)
    await server.command('REPLICAOF', 'NO', 'ONE')
    await expectRecovered(people)
  }, 60_000)

  test('full makes nothing new, but ends sessions and lets living ones in', async () => {
    const people = await prepare()
    await server.command('CONFIG', 'SET', 'maxmemory', '1')
    expect((await people.signedIn.send('/settings')).status).toBe(200)
    await expectWritesRefused(people)
    const leaving = people.signedIn.cookie
    expect((await people.signedIn.post('/settings/logout')).status).toBe(200)
    expect((await people.signedIn.send('/settings', { headers: { cookie: leaving } })).status).toBe(401)
    await server.command('CONFIG', 'SET', 'maxmemory', '0')
    await people.signedIn.open(await app.link({ userId: people.userId }))
    const user = { platform: 'telegram', userId: people.claimant }
    expect(await app.settings.identityOf(user)).toBeUndefined()
    expect((await people.opening.post(people.form.action, people.form.fields)).status).toBe(200)
    // The provider's answer was taken, so the person signs in once more; the link still is theirs.
    provider.claims = { sub: people.claimant }
    const start = await people.claiming.send('/settings/oauth/start')
    const callback = provider.answerTo(start.headers.get('location') as string)
    expect((await people.claiming.send(callback)).status).toBe(303)
  })
})
