import { UnavailableError } from '@countersign/core'
import { memorySessions } from '@countersign/settings-session'
import type { SettingsStore } from '@countersign/settings-session/store'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals'
import { type RequiredAudit, requiredAudit } from '../../../test/support/required-audit.js'
import type { TestBrowser } from './browser.js'
import { type Harness, type HarnessOptions, settingsApp } from './harness.js'
import { type HostileProvider, startHostileProvider } from './support/hostile-provider.js'
import { memorySubject, redisSubject, type StoreSubject } from './support/store-subjects.js'

let people = 0

describe.each([
  ['memory', memorySubject],
  ['Redis', redisSubject],
] as const)('[settings-release] the release of an account, in %s', (_name, start) => {
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
    name = `attack${people++}`
    provider.claims = { sub: name }
  })
  afterEach(async () => app?.close())

  const user = (role: string) => ({ platform: 'telegram', userId: `${role}-${name}` })
  const identity = () => expect.objectContaining({ subject: name })
  const newStore = () => (start === memorySubject ? memorySessions() : subject.store)

  async function run(options: HarnessOptions = {}): Promise<void> {
    const { audit } = required
    const oauth = provider.oauth
    app = await settingsApp({ store: newStore(), audit, oauth, firstClaim: 'trust-link', realTime: true, ...options })
  }
  async function signIn(browser: TestBrowser, request: object): Promise<Response> {
    await browser.confirm(await app.link(request))
    const begun = await browser.send('/settings/oauth/start')
    return browser.send(provider.answerTo(begun.headers.get('location') as string))
  }
  /** The page of a user whose identity somebody's link has bound. */
  async function releasePage(browser: TestBrowser, request: object) {
    return browser.form(await signIn(browser, request))
  }

  test('binds to the user whom the page named, whatever link the browser has opened since', async () => {
    await run()
    await signIn(app.browser(), user('attacker'))
    const browser = app.browser()
    const own = await releasePage(browser, user('victim'))
    // In another tab the victim follows a second link of the attacker as far as its page, and does not press the button.
    const other = await releasePage(browser, user('second'))
    const answer = await browser.post(own.action, own.fields)
    expect([await app.settings.identityOf(user('second')), await app.settings.identityOf(user('attacker'))]).toEqual([
      undefined,
      identity(),
    ])
    // The page of the session that the browser has says for whom it is.
    expect([answer.status, await browser.form(answer)]).toEqual([200, other])
    expect((await browser.post(other.action, other.fields)).status).toBe(303)
    expect(await app.settings.identityOf(user('second'))).toEqual(identity())
  })

  test('a form of before does not end the session of a link that waits', async () => {
    const asked: string[] = []
    await run({
      firstClaim: 'ask',
      onFirstClaim: ({ claimId, principal }) => {
        if (principal.userId !== `waiting-${name}`) return true
        asked.push(claimId)
        return undefined
      },
    })
    await signIn(app.browser(), user('attacker'))
    const browser = app.browser()
    const { action, fields } = await releasePage(browser, user('victim'))
    expect((await signIn(browser, user('waiting'))).headers.get('location')).toBe('/settings/waiting')
    expect((await browser.post(action, fields)).status).toBe(401)
    expect((await browser.send('/settings/waiting')).status).toBe(200)
    expect(await app.settings.answerFirstClaim(asked[0] as string, true)).toBe(true)
  })

  const lossy = (store: SettingsStore): SettingsStore => {
    let isFirst = true
    const claimIdentity: SettingsStore['claimIdentity'] = async (given) => {
      const claim = await store.claimIdentity(given)
      if (
        claim.outcome === 'activated' &&
        given.session.hash !== given.newHash &&
        claim.session.user.userId.startsWith('victim') &&
        isFirst
      ) {
        isFirst = false
        throw new UnavailableError('session_store', 'the answer was lost')
      }
      return claim
    }
    return { ...store, claimIdentity }
  }
  const ofVictim = () =>
    required.recorded
      .filter(({ principal, outcome }) => principal?.id === `telegram:victim-${name}` && outcome === 'success')
      .map(({ type }) => type)
      .filter((type) => /claimed|opened/.test(type))

  test('whose claim was made, and its answer lost, is recorded by the next click before it opens anything', async () => {
    const opened: string[] = []
    await run({ store: lossy(newStore()), onOpen: ({ principal }) => void opened.push(principal.userId) })
    await signIn(app.browser(), user('attacker'))
    const browser = app.browser()
    const { action, fields } = await releasePage(browser, user('victim'))
    expect((await browser.post(action, fields)).status).toBe(503)
    expect([await app.settings.identityOf(user('victim')), ofVictim()]).toEqual([identity(), []])
    const before = browser.cookie
    expect((await browser.post(action, fields)).status).toBe(303)
    expect(ofVictim()).toEqual(['settings.identity.claimed', 'settings.session.opened'])
    expect([opened.at(-1), (await browser.send('/settings')).status]).toEqual([`victim-${name}`, 200])
    // One more click has nothing to bind.
    expect((await browser.post(action, fields, { cookie: before })).status).toBe(303)
    expect(ofVictim().filter((type) => type === 'settings.identity.claimed')).toHaveLength(1)
  })

  test('that no required sink records by the next click either is undone, and opens nothing', async () => {
    await run({ store: lossy(newStore()) })
    await signIn(app.browser(), user('attacker'))
    const browser = app.browser()
    const { action, fields } = await releasePage(browser, user('victim'))
    expect((await browser.post(action, fields)).status).toBe(503)
    required.fail('throws', 'settings.identity.claimed')
    expect((await browser.post(action, fields)).status).toBe(503)
    expect([await app.settings.identityOf(user('victim')), await app.settings.list(user('victim'))]).toEqual([
      undefined,
      [],
    ])
    expect((await browser.send('/settings')).status).toBe(401)
  })

  test("a click once more is no sign-in: the session's proof becomes older all the same", async () => {
    await run()
    await signIn(app.browser(), user('attacker'))
    const browser = app.browser()
    const { action, fields } = await releasePage(browser, user('victim'))
    const { cookie } = browser
    expect((await browser.post(action, fields)).status).toBe(303)
    const ageOf = async () => {
      const [session] = await app.store.list(user('victim'))
      return session?.verifiedMsAgo ?? 0
    }
    let age = await ageOf()
    while (age < 20) age = await ageOf()
    expect((await browser.post(action, fields, { cookie })).status).toBe(303)
    expect(await ageOf()).toBeGreaterThanOrEqual(age)
  })

  test("the page names the user as the link's page did", async () => {
    await run()
    await signIn(app.browser(), user('attacker'))
    const browser = app.browser()
    const answer = await signIn(browser, { ...user('victim'), display: { account: 'Ada <L>' } })
    const named = 'connected to <bdi>Ada &lt;L&gt;</bdi> on <bdi>Telegram</bdi>'
    expect(await answer.text()).toContain(named)
    expect(await (await browser.send('/settings/oauth/start')).text()).toContain(named)
  })
})
