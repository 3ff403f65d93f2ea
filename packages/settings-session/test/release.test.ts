import { type AuditEvent, createAudit, UnavailableError } from '@countersign/core'
import { memorySessions } from '@countersign/settings-session'
import type { SettingsStore } from '@countersign/settings-session/store'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals'
import { fakeClock } from '../../../test/support/fake-clock.js'
import { type RequiredAudit, requiredAudit, SINK_FAILURES } from '../../../test/support/required-audit.js'
import type { TestBrowser } from './browser.js'
import { type Harness, type HarnessOptions, settingsApp } from './harness.js'
import { type HostileProvider, startHostileProvider } from './support/hostile-provider.js'
import { BOT_TOKEN, signedData } from './support/signed-data.js'
import { memorySubject, redisSubject, type StoreSubject } from './support/store-subjects.js'

let people = 0

describe.each([
  ['memory', memorySubject],
  ['Redis', redisSubject],
] as const)('[settings-release] a person whom somebody led to connect with another user, in %s', (_name, start) => {
  let subject: StoreSubject
  let provider: HostileProvider
  let required: RequiredAudit
  let app: Harness
  let name: string
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
    name = `release${people++}`
    provider.claims = { sub: name }
  })
  afterEach(async () => app?.close())

  const attacker = () => ({ platform: 'telegram', userId: `attacker-${name}` })
  const victim = () => ({ platform: 'telegram', userId: `victim-${name}` })
  const identity = () => expect.objectContaining({ subject: name })

  async function run(options: HarnessOptions = {}): Promise<void> {
    const store = start === memorySubject ? memorySessions() : subject.store
    const audit = required.audit
    app = await settingsApp({
      store,
      audit,
      oauth: provider.oauth,
      firstClaim: 'trust-link',
      realTime: true,
      ...options,
    })
  }
  async function signIn(browser: TestBrowser, user: object): Promise<Response> {
    await browser.confirm(await app.link(user))
    const begun = await browser.send('/settings/oauth/start')
    return browser.send(provider.answerTo(begun.headers.get('location') as string))
  }
  /** The attacker's user is bound to the victim's identity; the victim signs in on their own link. */
  async function lockedOut() {
    const [before, browser] = [app.browser(), app.browser()]
    expect((await signIn(before, attacker())).status).toBeLessThan(400)
    const refused = await signIn(browser, victim())
    return { before, browser, refused }
  }
  const changes = () => required.events.filter(({ type }) => type.startsWith('settings.identity.'))

  test('is told, and has the account released by the own sign-in', async () => {
    const told: unknown[] = []
    await run({ onMismatch: (mismatch) => void told.push(mismatch) })
    const { before, browser, refused } = await lockedOut()
    expect(refused.status).toBe(403)
    const text = await refused.clone().text()
    expect(text).toContain('It was not me')
    expect(text).not.toContain('attacker')
    expect((await browser.send('/settings')).status).toBe(403)
    // The page is there again after a reload, and its form is as good.
    const again = await browser.send('/settings/oauth/start')
    expect(again.status).toBe(200)
    const { action, fields } = await browser.form(refused)
    expect(await browser.form(again)).toEqual({ action, fields })
    const former = browser.cookie
    const done = await browser.post(action, fields)
    expect([done.status, done.headers.get('location')]).toEqual([303, '/settings'])
    const page = (await (await browser.send('/settings')).json()) as { principal: object }
    expect(page.principal).toMatchObject({ ...victim(), identity: identity() })
    expect([await app.settings.identityOf(attacker()), await app.settings.identityOf(victim())]).toEqual([
      undefined,
      identity(),
    ])
    expect((await before.send('/settings')).status).toBe(401)
    expect(told).toHaveLength(1)
    const [unlinked, claimed] = changes().slice(-2)
    expect([unlinked?.type, unlinked?.principal?.id, unlinked?.attributes?.by]).toEqual([
      'settings.identity.unlinked',
      `telegram:attacker-${name}`,
      'owner',
    ])
    expect([claimed?.type, claimed?.principal?.id]).toEqual(['settings.identity.claimed', `telegram:victim-${name}`])
    expect(claimed?.attributes?.from_user_key).toBe(unlinked?.attributes?.user_key)
    // A double click, whose first answer did not arrive.
    const count = changes().length
    const repeat = await browser.post(action, fields, { cookie: former })
    expect([repeat.status, changes().length]).toEqual([303, count])
  })

  test('nothing is released from another site, by another browser, or by a form of another session', async () => {
    await run()
    const { browser, refused } = await lockedOut()
    const { action, fields } = await browser.form(refused)
    const foreign = { origin: 'https://evil.example', 'sec-fetch-site': 'cross-site' }
    expect((await browser.post(action, fields, foreign)).status).toBe(403)
    const unsure = { origin: 'null', 'sec-fetch-site': 'none' }
    expect((await browser.post(action, { _csrf: 'x' }, unsure)).status).toBe(403)
    expect((await app.browser().post(action, fields)).status).toBe(401)
    // Who holds a link, and has not signed in.
    const thief = app.browser()
    await thief.confirm(await app.link(victim()))
    expect((await thief.post(action, fields)).status).toBe(401)
    expect(await app.settings.identityOf(attacker())).toEqual(identity())
    expect((await browser.post(action, fields, unsure)).status).toBe(303)
  })

  test('cannot go on with another account instead', async () => {
    await run()
    const { browser } = await lockedOut()
    provider.claims = { sub: `other-${name}` }
    const start = await browser.send('/settings/oauth/start')
    expect([start.status, start.headers.get('location')]).toEqual([200, null])
    expect(await app.settings.identityOf(victim())).toBeUndefined()
  })

  test("the app's policy is asked first: nobody with 'deny', and whom 'ask' allows", async () => {
    const asked: boolean[] = [true, false, true]
    await run({ firstClaim: 'ask', onFirstClaim: () => asked.shift() ?? false })
    await signIn(app.browser(), attacker())
    const denied = await signIn(app.browser(), victim())
    expect([denied.status, (await denied.text()).includes('/oauth/release')]).toEqual([403, false])
    const browser = app.browser()
    const { action, fields } = await browser.form(await signIn(browser, victim()))
    expect(asked).toEqual([])
    expect((await browser.post(action, fields)).status).toBe(303)
    await app.close()
    await run({ firstClaim: 'deny', store: app.store })
    await app.settings.unlink(victim())
    await app.settings.rebind(attacker(), { issuer: provider.oauth.issuer as string, subject: name })
    const none = await signIn(app.browser(), victim())
    expect([none.status, (await none.text()).includes('/oauth/release')]).toEqual([403, false])
    expect(await app.settings.identityOf(attacker())).toEqual(identity())
  })

  test("under 'ask', who was let in by another process's laxer policy is refused; whom the app allowed is not asked for again", async () => {
    await run()
    const { browser, refused } = await lockedOut()
    const { action, fields } = await browser.form(refused)
    const lax = app
    const asked: unknown[] = []
    const onFirstClaim = (claim: unknown) => void asked.push(claim)
    app = await settingsApp({ store: lax.store, audit: required.audit, oauth: provider.oauth, onFirstClaim })
    const late = app.browser()
    for (const [cookie, value] of browser.cookies) late.cookies.set(cookie, value)
    const own = { origin: new URL(app.baseUrl).origin }
    expect((await late.post(action, fields, own)).status).toBe(403)
    const refusals = required.events.filter(({ reason }) => reason === 'identity_mismatch')
    expect([refusals.at(-1)?.attributes?.first_claim, asked]).toEqual(['denied', []])
    expect(await app.settings.identityOf(attacker())).toEqual(identity())
    await app.close()
    await lax.close()
    // The app says yes while the page waits.
    const claims: string[] = []
    await run({
      store: lax.store,
      firstClaim: 'ask',
      onFirstClaim: ({ claimId }) => void claims.push(claimId),
    })
    const waiting = app.browser()
    expect((await signIn(waiting, victim())).headers.get('location')).toBe('/settings/waiting')
    await app.settings.answerFirstClaim(claims[0] as string, true)
    const page = await waiting.form(await waiting.send('/settings/waiting'))
    expect((await waiting.post(page.action, page.fields)).status).toBe(303)
    expect(claims).toHaveLength(1)
  })

  test("whom Telegram vouches for needs no policy: nobody else's link was there", async () => {
    await run({ firstClaim: 'deny', telegram: { botToken: BOT_TOKEN } })
    await app.settings.rebind(attacker(), { issuer: provider.url, subject: name })
    const browser = app.browser()
    const headers = { origin: app.url, 'sec-fetch-site': 'same-origin', 'content-type': 'application/json' }
    const body = JSON.stringify({ initData: signedData(7000 + people, name) })
    await browser.send('/settings/telegram', { method: 'POST', headers, body })
    const begun = await browser.send('/settings/oauth/start')
    const { action, fields } = await browser.form(
      await browser.send(provider.answerTo(begun.headers.get('location') as string)),
    )
    expect((await browser.post(action, fields)).status).toBe(303)
    expect(await app.settings.identityOf({ platform: 'telegram', userId: String(7000 + people) })).toEqual(identity())
    expect(await app.settings.identityOf(attacker())).toBeUndefined()
  })

  test('whose release was done, and its answer lost, is recorded by the next click', async () => {
    const store = start === memorySubject ? memorySessions() : subject.store
    let isLost = true
    const freeIdentity: SettingsStore['freeIdentity'] = async (session) => {
      const freed = await store.freeIdentity(session)
      if (isLost) throw new UnavailableError('session_store', 'the answer was lost')
      return freed
    }
    await run({ store: { ...store, freeIdentity } })
    const { browser, refused } = await lockedOut()
    const { action, fields } = await browser.form(refused)
    const count = changes().length
    expect((await browser.post(action, fields)).status).toBe(503)
    expect([await app.settings.identityOf(attacker()), changes().length]).toEqual([undefined, count])
    isLost = false
    expect((await browser.post(action, fields)).status).toBe(303)
    expect(changes().slice(count)).toMatchObject([
      { type: 'settings.identity.unlinked', principal: { id: `telegram:attacker-${name}` } },
      { type: 'settings.identity.claimed', principal: { id: `telegram:victim-${name}` } },
    ])
  })

  test('a double click of which a required sink takes one leaves nobody unbound without an event', async () => {
    const audit = createAudit()
    const recorded: AuditEvent[] = []
    let refuse: ((error: Error) => void) | undefined
    let isFirst = true
    // The first click's event is refused when the second click's is recorded.
    const write = (event: AuditEvent): void | Promise<void> => {
      if (isFirst && event.type === 'settings.identity.unlinked') {
        isFirst = false
        return new Promise((_resolve, reject) => {
          refuse = reject
        })
      }
      recorded.push(event)
      if (event.type.startsWith('settings.identity.')) refuse?.(new Error('the disk is full'))
    }
    audit.subscribe({ name: 'required', write }, { required: true, deadlineMs: 5000 })
    await run({ audit })
    const { browser, refused } = await lockedOut()
    const { action, fields } = await browser.form(refused)
    const clicks = await Promise.all([browser.post(action, fields), browser.post(action, fields)])
    expect(clicks.map(({ status }) => status).sort()).toContain(503)
    const isReleased = (await app.settings.identityOf(attacker())) === undefined
    expect(await app.settings.identityOf(victim())).toEqual(isReleased ? identity() : undefined)
    const last = recorded.filter(({ principal }) => principal?.id === `telegram:attacker-${name}`)
    const types = last.map(({ type }) => type).filter((type) => type.startsWith('settings.identity.'))
    expect(types.at(-1)).toBe(isReleased ? 'settings.identity.unlinked' : 'settings.identity.claimed')
  })

  test('a user who cannot be bound again, because somebody else is by now, is reported', async () => {
    const store = start === memorySubject ? memorySessions() : subject.store
    const third = { platform: 'telegram', userId: `third-${name}` }
    const freeIdentity: SettingsStore['freeIdentity'] = async (session) => {
      const freed = await store.freeIdentity(session)
      const { claim } = freed.outcome === 'freed' ? freed.session : {}
      if (claim !== undefined) await store.rebind(third, { identity: claim.identity, attempt: 'another' })
      return freed
    }
    await run({ store: { ...store, freeIdentity } })
    const { browser, refused } = await lockedOut()
    const { action, fields } = await browser.form(refused)
    required.fail('throws', 'settings.identity.unlinked')
    expect((await browser.post(action, fields)).status).toBe(503)
    expect(changes().at(-1)).toMatchObject({
      type: 'settings.identity.unlinked',
      outcome: 'error',
      reason: 'not_undone',
      principal: { id: `telegram:attacker-${name}` },
      attributes: { by: 'audit_sink' },
    })
  })

  test.each(
    SINK_FAILURES.flatMap((how) => [
      [how, 'settings.identity.unlinked'] as const,
      [how, 'settings.identity.claimed'] as const,
    ]),
  )('a required sink that %s and so does not record %s undoes it', async (how, type) => {
    await run()
    const { browser, refused } = await lockedOut()
    const { action, fields } = await browser.form(refused)
    required.fail(how, type)
    expect((await browser.post(action, fields)).status).toBe(503)
    expect(await app.settings.identityOf(attacker())).toEqual(identity())
    expect(await app.settings.identityOf(victim())).toBeUndefined()
    expect(await app.settings.list(victim())).toEqual([])
    expect(changes().at(-1)?.attributes?.by).toBe('audit_sink')
  })
})

describe('in time,', () => {
  let provider: HostileProvider
  let app: Harness
  beforeAll(async () => {
    provider = await startHostileProvider()
  })
  afterAll(() => provider?.close())
  afterEach(() => app?.close())

  /** A person who may release their account, in an app whose store has a clock of the test's. */
  async function locked() {
    const clock = fakeClock(Date.now())
    const limits = { idleTimeoutSeconds: 3600, sessionTtlSeconds: 3600 }
    const options = { oauth: provider.oauth, firstClaim: 'trust-link', realTime: true, ...limits } as const
    app = await settingsApp({ store: memorySessions({ clock }), ...options })
    provider.claims = { sub: `late${people++}` }
    const signIn = async (userId: string) => {
      const browser = app.browser()
      await browser.confirm(await app.link({ userId }))
      const begun = await browser.send('/settings/oauth/start')
      return { browser, page: await browser.send(provider.answerTo(begun.headers.get('location') as string)) }
    }
    await signIn('somebody')
    const { browser, page } = await signIn('me')
    return { clock, browser, ...(await browser.form(page)) }
  }

  test('after ten minutes the page is gone as any session that has expired, and its form releases nothing', async () => {
    const { clock, browser, action, fields } = await locked()
    clock.advance(599_000)
    expect((await browser.send('/settings/oauth/start')).status).toBe(200)
    clock.advance(1_000)
    const start = await browser.send('/settings/oauth/start')
    expect([start.status, await start.text()]).toEqual([401, expect.stringContaining('This sign-in has ended')])
    expect([(await browser.send('/settings')).status, app.last()]).toEqual([401, 'expired'])
    expect((await browser.post(action, fields)).status).toBe(401)
    expect(await app.settings.identityOf({ platform: 'telegram', userId: 'somebody' })).toBeDefined()
  })

  test('a click within half a minute of the one that released is the same, and a later one is refused', async () => {
    const { clock, browser, action, fields } = await locked()
    const { cookie } = browser
    expect((await browser.post(action, fields)).status).toBe(303)
    clock.advance(29_000)
    expect((await browser.post(action, fields, { cookie })).status).toBe(303)
    clock.advance(1_000)
    expect((await browser.post(action, fields, { cookie })).status).toBe(401)
    expect((await browser.send('/settings')).status).toBe(200)
  })
})
