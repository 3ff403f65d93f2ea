import { createSettingsSessions, memorySessions } from '@countersign/settings-session'
import { redisSessions } from '@countersign/settings-session/redis'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals'
import { Redis } from 'ioredis'
import { RedisServer } from '../../../test/support/redis-server.js'
import type { TestBrowser } from './browser.js'
import { type Harness, type HarnessOptions, settingsApp } from './harness.js'
import { openWithSignIn, type RunningProvider, signInAgain, signInAt, startProvider } from './support/provider.js'

const SESSION = '__Host-countersign-settings'
const SIGN_IN = '__Host-countersign-settings-tx'

let provider: RunningProvider
let server: RedisServer
let redis: Redis
beforeAll(async () => {
  ;[provider, server] = await Promise.all([startProvider(), RedisServer.start()])
  redis = new Redis(server.url)
}, 60_000)
afterAll(async () => {
  redis?.disconnect()
  await Promise.all([provider?.app.stop(), server?.stop()])
})

const title = async (answer: Response) => /<h1>(.*)<\/h1>/.exec(await answer.text())?.[1]
const cause = (app: Harness) => app.events.at(-1)?.attributes?.cause

let names = 0
describe.each([
  ['memory', () => memorySessions()],
  ['redis', () => redisSessions(redis, { commandTimeoutMs: 20_000 })],
] as const)('a person who is bound, with the %s store', (_name, store) => {
  let app: Harness
  let name: string
  const start = (options: HarnessOptions = {}) =>
    settingsApp({
      oauth: provider.oauth,
      firstClaim: 'trust-link',
      returning: 'sign-in',
      realTime: true,
      store: store(),
      ...options,
    })
  beforeEach(async () => {
    app = await start()
    name = `person${names++}`
  })
  afterEach(() => app.close())

  const user = () => ({ platform: 'telegram', userId: name })
  async function known(): Promise<TestBrowser> {
    const browser = app.browser()
    expect((await openWithSignIn(browser, await app.link(user()), name)).status).toBe(303)
    return browser
  }

  test('comes back by signing in, in any browser, to the page where they were', async () => {
    await known()
    const browser = app.browser()
    const refused = await browser.send('/settings/profile')
    const text = await refused.text()
    expect([refused.status, /Sign in to open your settings again/.test(text)]).toEqual([401, true])
    const href = String(/<a class="button" href="([^"]+)"/.exec(text)?.[1])
    expect(href).toBe('/settings/oauth/start?returnTo=%2Fsettings%2Fprofile')
    const back = await signInAgain(browser, name, href)
    expect([back.status, back.headers.get('location')]).toEqual([303, '/settings/profile'])
    const page = (await (await browser.send('/settings')).json()) as { principal: object }
    expect(page.principal).toMatchObject({ ...user(), identity: { subject: name } })
    expect(app.events.find(({ attributes }) => attributes?.by === 'sign_in')?.type).toBe('settings.session.opened')
  })

  test('of an identity that is bound to nobody nothing is opened, made or bound', async () => {
    await known()
    const stranger = app.browser()
    const back = await signInAgain(stranger, `stranger-${name}`)
    expect([back.status, await title(back), cause(app)]).toEqual([403, 'No settings belong to this account', 'no_user'])
    expect(stranger.cookies.size).toBe(0)
    expect(await app.store.returningUsers({ issuer: provider.issuer, subject: `stranger-${name}` })).toEqual([])
  })

  test('of an identity that is more than one user, none is guessed', async () => {
    await known()
    await openWithSignIn(app.browser(), await app.link({ platform: 'slack', team: 'T1', userId: name }), name)
    const back = await signInAgain(app.browser(), name)
    expect([back.status, cause(app)]).toEqual([403, 'several_users'])
    await app.settings.unlink({ platform: 'slack', team: 'T1', userId: name })
    expect((await signInAgain(app.browser(), name)).status).toBe(303)
  })

  test.each([
    ['unlinked', () => app.settings.unlink(user())],
    ['bound to somebody else', () => app.settings.rebind(user(), { issuer: provider.issuer, subject: `new-${name}` })],
    ['revoked altogether', () => app.settings.revokeAll(user())],
  ] as const)('does not when the user was %s, until a link was opened again', async (_what, change) => {
    await known()
    const halfway = app.browser()
    const begun = await halfway.send('/settings/oauth/start')
    await change()
    const back = await halfway.send(await signInAt(String(begun.headers.get('location')), name))
    expect([back.status, cause(app), halfway.cookies.has(SESSION)]).toEqual([403, 'no_user', false])
    await app.settings.rebind(user(), { issuer: provider.issuer, subject: name })
    expect((await signInAgain(app.browser(), name)).status).toBe(303)
  })

  test('a revocation between the sign-in and the session wins', async () => {
    const inner = store()
    let revoke: (() => Promise<void>) | undefined
    await app.close()
    app = await start({
      store: {
        ...inner,
        claimIdentity: async (claim) => {
          await revoke?.()
          return inner.claimIdentity(claim)
        },
      },
    })
    await known()
    revoke = () => app.settings.revokeAll(user())
    const browser = app.browser()
    expect((await signInAgain(browser, name)).status).toBe(401)
    expect([app.last(), browser.cookies.has(SESSION)]).toEqual(['revoked', false])
    expect(await app.settings.list(user())).toEqual([])
  })

  test('another site does not begin it, and an answer to another browser is none here', async () => {
    await known()
    const browser = app.browser()
    const led = await browser.send('/settings/oauth/start', { headers: { 'sec-fetch-site': 'cross-site' } })
    expect([led.status, browser.cookies.size]).toEqual([401, 0])
    // The attacker's own answer, in the browser of somebody who began a sign-in, and of somebody who did not.
    const attacker = app.browser()
    const begun = await attacker.send('/settings/oauth/start')
    const back = await signInAt(String(begun.headers.get('location')), name)
    await browser.send('/settings/oauth/start')
    for (const victim of [browser, app.browser()]) {
      const held = victim.cookies.get(SIGN_IN)
      expect([(await victim.send(back)).status, victim.cookies.has(SESSION)]).toEqual([403, false])
      expect(victim.cookies.get(SIGN_IN)).toBe(held)
    }
    expect((await attacker.send(back)).status).toBe(303)
  })

  test('beginning it leaves nothing in the store, and two tabs have one', async () => {
    await known()
    const before = await redis.dbsize()
    for (let count = 0; count < 20; count += 1) await app.browser().send('/settings/oauth/start')
    expect(await redis.dbsize()).toBeLessThanOrEqual(before)
    const browser = app.browser()
    const tabs = [await browser.send('/settings/oauth/start'), await browser.send('/settings/oauth/start')]
    for (const tab of tabs) {
      const back = await browser.send(await signInAt(String(tab.headers.get('location')), name))
      expect([back.status, back.headers.get('location')]).toEqual([303, '/settings'])
    }
    expect(await app.settings.list(user())).toHaveLength(2)
  })
})

test('without the option a sign-in alone opens nothing', async () => {
  const app = await settingsApp({ oauth: provider.oauth, firstClaim: 'trust-link', realTime: true })
  await openWithSignIn(app.browser(), await app.link({ userId: 'plain' }), 'plain')
  const browser = app.browser()
  expect((await browser.send('/settings/oauth/start')).status).toBe(401)
  expect(await (await browser.send('/settings')).text()).not.toContain('oauth/start')
  await app.close()
})

test('it needs a provider, and a store that knows it', () => {
  const baseUrl = 'https://app.example.com/settings'
  expect(() => createSettingsSessions({ baseUrl, returning: 'sign-in' })).toThrow(
    /"oauth" is required with "returning"/,
  )
  const { returningUsers: _none, ...store } = memorySessions()
  const oauth = { issuer: 'https://id.example.com', clientId: 'a', clientSecret: 'b' }
  const options = { baseUrl, oauth, firstClaim: 'deny', returning: 'sign-in' } as const
  expect(() => createSettingsSessions({ ...options, store: store as never })).toThrow(
    /must have the method "returningUsers"/,
  )
})
