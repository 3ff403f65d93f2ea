import { expect } from '@jest/globals'
import type { TestBrowser } from '../browser.js'
import type { Harness } from '../harness.js'
import type { HostileProvider } from './hostile-provider.js'
import { until } from './until.js'

let users = 0

/** What people at every stage of the way get while an app's store is away, and after it. */
export function peopleOf(app: Harness, provider: HostileProvider) {
  type People = Awaited<ReturnType<typeof prepare>>

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

  return { prepare, expect503, expectAllRefused, expectWritesRefused, expectRecovered }
}
