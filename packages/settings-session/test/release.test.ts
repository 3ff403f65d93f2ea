import { memorySessions } from '@countersign/settings-session'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals'
import { type RequiredAudit, requiredAudit, SINK_FAILURES } from '../../../test/support/required-audit.js'
import type { TestBrowser } from './browser.js'
import { type Harness, type HarnessOptions, settingsApp } from './harness.js'
import { type HostileProvider, startHostileProvider } from './support/hostile-provider.js'
import { memorySubject, redisSubject, type StoreSubject } from './support/store-subjects.js'

let people = 0

describe.each([
  ['memory', memorySubject],
  ['Redis', redisSubject],
] as const)('a person whom somebody led to connect with another user, in %s', (_name, start) => {
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
