import { createHmac } from 'node:crypto'
import { type AuditEvent, createAudit, UnavailableError } from '@countersign/core'
import { createSettingsSessions, memorySessions, type SettingsIdentity } from '@countersign/settings-session'
import type { SettingsStore } from '@countersign/settings-session/store'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals'
import {
  endings,
  type RequiredAudit,
  requiredAudit,
  SINK_FAILURES,
  UNRECORDED,
} from '../../../test/support/required-audit.js'
import { catchWarnings } from '../../../test/support/warnings.js'
import type { TestBrowser } from './browser.js'
import { type Harness, settingsApp } from './harness.js'
import { type HostileProvider, startHostileProvider } from './support/hostile-provider.js'
import { memorySubject, redisSubject, type StoreSubject } from './support/store-subjects.js'
import { issue, open } from './support/store-world.js'
import { until } from './support/until.js'

const BOT_TOKEN = '7342037359:AAHI25ES9xCOMPokpYoz-p8XVrZUdygo2J4'
const SESSION = '__Host-countersign-settings-session'
let users = 0

/** What Telegram's client hands to a page. */
function initData(userId: string): string {
  const fields: Record<string, string> = {
    auth_date: String(Math.floor(Date.now() / 1000)),
    user: JSON.stringify({ id: Number(userId), first_name: 'A' }),
  }
  const text = Object.entries(fields).map(([name, value]) => `${name}=${value}`)
  const key = createHmac('sha256', 'WebAppData').update(BOT_TOKEN).digest()
  const hash = createHmac('sha256', key).update(text.sort().join('\n')).digest('hex')
  return new URLSearchParams({ ...fields, hash }).toString()
}

/** Types, outcomes and reasons of what is no decision. */
const changes = ({ events }: RequiredAudit) => endings(events.filter(({ type }) => !type.startsWith('access.')))

describe.each([
  ['memory', memorySubject],
  ['Redis', redisSubject],
] as const)('in %s', (_name, start) => {
  let subject: StoreSubject
  let provider: HostileProvider
  let required: RequiredAudit
  let userId: string
  let app: Harness | undefined
  beforeAll(async () => {
    provider = await startHostileProvider()
    subject = await start()
  }, 60_000)
  afterAll(async () => {
    await provider?.close()
    await subject?.close()
  })
  beforeEach(() => {
    required = requiredAudit()
    userId = String(4711 + users++)
    provider.claims = { sub: `sub-${userId}` }
  })
  afterEach(async () => app?.close())

  const user = () => ({ platform: 'telegram', userId })
  async function world(options: Parameters<typeof settingsApp>[0] = {}) {
    const store = start === memorySubject ? memorySessions() : subject.store
    app = await settingsApp({ store, audit: required.audit, realTime: true, ...options })
    return { app, settings: app.settings, browser: app.browser(), link: await app.link({ userId }) }
  }
  const signIn = () => world({ oauth: provider.oauth, firstClaim: 'trust-link' })

  /** Back from the provider. */
  async function callback(browser: TestBrowser): Promise<Response> {
    const begun = await browser.send('/settings/oauth/start')
    return browser.send(provider.answerTo(begun.headers.get('location') as string))
  }

  test.each(SINK_FAILURES)('a link that a required sink, which %s, did not record is handed to nobody', async (how) => {
    const { settings } = await world()
    required.fail(how)
    await expect(settings.issueLink(user())).rejects.toMatchObject(UNRECORDED)
    expect(changes(required).at(-1)).toEqual(['settings.link.issued', 'error', 'audit_sink'])
  })

  test.each(SINK_FAILURES)(
    'a session that a required sink, which %s, did not record is ended, and answered 503',
    async (how) => {
      const { settings, browser, link } = await world()
      required.fail(how, 'settings.session.opened')
      const answer = await browser.confirm(link)
      expect([answer.status, answer.headers.get('retry-after')]).toEqual([503, '1'])
      expect(browser.cookies.has(SESSION)).toBe(false)
      expect(await settings.list(user())).toEqual([])
      expect(endings(required.events).slice(-3)).toEqual([
        ['settings.session.opened', 'error', 'audit_sink'],
        ['settings.session.revoked', 'success'],
        ['access.unavailable', 'error', 'audit_sink'],
      ])
      expect(required.recorded.at(-2)?.attributes).toEqual({ cause: 'audit_sink' })
      required.fail(undefined)
      expect((await browser.confirm(link)).status).toBeLessThan(400)
      expect((await browser.send('/settings')).status).toBe(200)
      expect((await app?.browser().open(link))?.status).toBe(401)
    },
  )

  test('a session by Telegram that was not recorded is ended, and its browser may come again', async () => {
    const { settings, app, browser } = await world({ telegram: { botToken: BOT_TOKEN } })
    const body = JSON.stringify({ initData: initData(userId) })
    const post = () =>
      browser.send('/settings/telegram', {
        method: 'POST',
        headers: { origin: app.url, 'sec-fetch-site': 'same-origin', 'content-type': 'application/json' },
        body,
      })
    required.fail('rejects', 'settings.session.opened')
    expect((await post()).status).toBe(503)
    expect([await settings.list(user()), browser.cookies.has(SESSION)]).toEqual([[], false])
    required.fail(undefined)
    expect((await post()).status).toBe(200)
    expect((await browser.send('/settings')).status).toBe(200)
  })

  test.each(SINK_FAILURES)(
    'an identity whose binding a required sink, which %s, did not record is not bound',
    async (how) => {
      const { app, settings, browser, link } = await signIn()
      await browser.confirm(link)
      const held = browser.cookies.get(SESSION)
      required.fail(how, 'settings.identity.claimed')
      expect((await callback(browser)).status).toBe(503)
      expect(browser.cookies.get(SESSION)).toBe(held)
      expect(await settings.identityOf(user())).toBeUndefined()
      expect(await settings.list(user())).toEqual([])
      expect((await browser.send('/settings')).status).toBe(401)
      expect(changes(required).slice(-3)).toEqual([
        ['settings.identity.claimed', 'error', 'audit_sink'],
        ['settings.identity.unlinked', 'success'],
        ['settings.session.revoked', 'success'],
      ])
      required.fail(undefined)
      const again = app.browser()
      await again.confirm(await app.link({ userId }))
      expect((await callback(again)).status).toBeLessThan(400)
      expect(await settings.identityOf(user())).toMatchObject({ subject: `sub-${userId}` })
    },
  )

  test('a sign-in whose session was not recorded opens nothing, and what was recorded before it stays', async () => {
    const { settings, browser, link } = await signIn()
    await browser.confirm(link)
    required.fail('rejects', 'settings.session.opened')
    expect((await callback(browser)).status).toBe(503)
    expect(await settings.list(user())).toEqual([])
    expect(await settings.identityOf(user())).toMatchObject({ subject: `sub-${userId}` })
    required.fail(undefined)
    await browser.confirm(link)
    expect((await callback(browser)).status).toBeLessThan(400)
    expect((await browser.send('/settings')).status).toBe(200)
  })

  test('a second sign-in that was not recorded ends the session, and its link stays spent', async () => {
    const { app, settings, browser, link } = await signIn()
    provider.claims = { ...provider.claims, auth_time: Math.floor(Date.now() / 1000) }
    await browser.confirm(link)
    await callback(browser)
    expect((await browser.send('/settings')).status).toBe(200)
    required.fail('rejects', 'settings.session.reverified')
    expect((await callback(browser)).status).toBe(503)
    expect(await settings.list(user())).toEqual([])
    expect((await browser.send('/settings')).status).toBe(401)
    expect((await app.browser().open(link)).status).toBe(401)
  })

  test('a rebinding that was not recorded leaves the identity of before', async () => {
    const { settings } = await world()
    const [first, second] = ['first', 'second'].map((name) => ({ issuer: 'https://i', subject: `${name}-${userId}` }))
    required.fail('rejects')
    await expect(settings.rebind(user(), first as never)).rejects.toMatchObject(UNRECORDED)
    expect(await settings.identityOf(user())).toBeUndefined()
    required.fail(undefined)
    expect(await settings.rebind(user(), first as never)).toBe('bound')
    required.fail('rejects')
    await expect(settings.rebind(user(), second as never)).rejects.toMatchObject(UNRECORDED)
    expect(await settings.identityOf(user())).toEqual(first)
  })

  test('a link that wrong codes voided is not freed with the session that it opened', async () => {
    const store = start === memorySubject ? memorySessions() : subject.store
    const link = await issue(store, user(), { codeHash: 'right' })
    const { session } = await open(store, link, { state: 'awaiting_identity', codeHash: 'right' })
    for (let count = 0; count < 5; count += 1) await open(store, link, { codeHash: 'wrong' })
    await store.revoke(session.tag, session.hash, { freesLink: true })
    expect((await open(store, link, { codeHash: 'right' })).outcome).toBe('spent')
  })

  test.each(['unlinked', 'bound'])('what was %s while a rebinding waited for its record stays so', async (how) => {
    const audit = createAudit()
    const waiting: (() => void)[] = []
    let isFull = false
    const write = () =>
      isFull ? new Promise<void>((_, reject) => waiting.push(() => reject(new Error('the disk is full')))) : undefined
    audit.subscribe({ name: 'slow', write }, { required: true, deadlineMs: 10_000 })
    const { settings } = await world({ audit })
    const [first, second, third] = ['first', 'second', 'third'].map((name) => ({
      issuer: 'https://i',
      subject: `${name}-${userId}`,
    })) as [SettingsIdentity, SettingsIdentity, SettingsIdentity]
    await settings.rebind(user(), first)
    isFull = true
    const rebinding = settings.rebind(user(), second).catch((error: unknown) => error)
    await until(() => waiting.length, Boolean)
    isFull = false
    if (how === 'unlinked') expect(await settings.unlink(user())).toBe(true)
    else expect(await settings.rebind(user(), third)).toBe('bound')
    for (const fail of waiting) fail()
    expect(await rebinding).toMatchObject(UNRECORDED)
    expect(await settings.identityOf(user())).toEqual(how === 'unlinked' ? undefined : third)
  })

  test.each(['bound', 'signed in'])(
    'the same identity, %s again while its record was waited for, stays bound',
    async (how) => {
      const held: (() => void)[] = []
      let isFull = true
      const audit = createAudit()
      const write = (event: AuditEvent) =>
        isFull && event.type === 'settings.identity.claimed'
          ? new Promise<void>((_, reject) => held.push(() => reject(new Error('the disk is full'))))
          : undefined
      audit.subscribe({ name: 'slow', write }, { required: true, deadlineMs: 60_000 })
      const { app, settings, browser, link } = await world({ audit, oauth: provider.oauth, firstClaim: 'trust-link' })
      await browser.confirm(link)
      const waiting = callback(browser)
      await until(() => held.length, Boolean)
      isFull = false
      const identity = (await settings.identityOf(user())) as SettingsIdentity
      expect(await settings.unlink(user())).toBe(true)
      const again = app.browser()
      if (how === 'bound') {
        expect(await settings.rebind(user(), identity)).toBe('bound')
      } else {
        await again.confirm(await app.link({ userId }))
        expect((await callback(again)).status).toBeLessThan(400)
      }
      for (const fail of held) fail()
      expect((await waiting).status).toBe(503)
      expect(await settings.identityOf(user())).toEqual(identity)
      if (how === 'signed in') expect((await again.send('/settings')).status).toBe(200)
    },
  )

  test.each(SINK_FAILURES)('what takes rights away is done while a required sink %s', async (how) => {
    const { app, settings, browser, link } = await signIn()
    await browser.confirm(link)
    await callback(browser)
    const [session] = await settings.list(user())
    const second = app.browser()
    await second.confirm(await app.link({ userId }))
    await callback(second)
    const waiting = app.browser()
    await waiting.confirm(await app.link({ userId }))
    const unopened = await app.link({ userId })
    required.fail(how)
    expect(await settings.revoke(session?.id ?? '')).toBe(true)
    expect((await second.post('/settings/logout')).status).toBe(200)
    expect(await settings.list(user())).toEqual([])
    expect(await settings.unlink(user())).toBe(true)
    expect(await settings.identityOf(user())).toBeUndefined()
    await settings.revokeAll(user())
    expect((await app.browser().open(unopened)).status).toBe(401)
    expect((await waiting.send('/settings/oauth/start')).status).toBe(401)
  })
})

test('a session that cannot be ended is answered 503 all the same, and the operator is told', async () => {
  const { warnings, stop } = catchWarnings()
  const required = requiredAudit()
  const store: SettingsStore = {
    ...memorySessions(),
    revoke: () => Promise.reject(new UnavailableError('session_store', 'down')),
  }
  const app = await settingsApp({ store, audit: required.audit, realTime: true })
  const browser = app.browser()
  const link = await app.link()
  required.fail('rejects', 'settings.session.opened')
  expect((await browser.confirm(link)).status).toBe(503)
  expect(browser.cookies.has(SESSION)).toBe(false)
  expect(endings(required.events).slice(-3)).toEqual([
    ['settings.session.opened', 'error', 'audit_sink'],
    ['settings.session.opened', 'error', 'not_undone'],
    ['access.unavailable', 'error', 'audit_sink'],
  ])
  expect(warnings.map(({ code }) => code)).toContain('COUNTERSIGN_CHANGE_NOT_UNDONE')
  stop()
  await app.close()
})

test('a closed emitter opens no session and issues no link', async () => {
  const { audit } = requiredAudit()
  const settings = createSettingsSessions({ baseUrl: 'http://127.0.0.1:1/settings', audit })
  await audit.close()
  await expect(settings.issueLink({ platform: 'telegram', userId: 'u1' })).rejects.toMatchObject(UNRECORDED)
})
