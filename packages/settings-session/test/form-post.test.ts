import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import type { Browser } from 'playwright-core'
import { launchChromium } from '../../../test/support/chromium.js'
import { type Harness, settingsApp } from './harness.js'
import { type RunningProvider, signInAt, startProvider } from './support/provider.js'

const SESSION = '__Host-countersign-settings'
const CALLBACK = '/settings/oauth/callback'

let chromium: Browser
let provider: RunningProvider
let app: Harness
beforeAll(async () => {
  ;[chromium, provider] = await Promise.all([launchChromium(), startProvider(undefined, { host: 'localhost' })])
  const oauth = { ...provider.oauth, responseMode: 'form_post' } as const
  app = await settingsApp({ oauth, firstClaim: 'trust-link', realTime: true })
}, 90_000)
afterAll(async () => {
  await chromium?.close()
  await Promise.all([app?.close(), provider?.app.stop()])
})

test.each([true, false])(
  'a provider of another site posts its answer, and the person is signed in; script: %s',
  async (hasScript) => {
    const context = await chromium.newContext({ javaScriptEnabled: hasScript })
    const page = await context.newPage()
    await page.goto(await app.link({ userId: `script-${hasScript}` }))
    await page.locator('form button:not([name])').click()
    await page.waitForURL(`${provider.issuer}/**`)
    await page.locator('input[name=login]').fill(`person-${hasScript}`)
    await page.locator('input[name=password]').fill('any')
    await page.locator('button[type=submit]').click()
    await page.locator('input[name=prompt][value=consent]').waitFor({ state: 'attached' })
    const posted = page.waitForRequest((request) => request.method() === 'POST' && request.url().endsWith(CALLBACK))
    await page.locator('button[type=submit]').click()
    // oidc-provider's page posts itself by script, and has a button without.
    if (!hasScript) await page.locator('form[action$="/oauth/callback"] [type=submit]').click()
    const headers = await (await posted).allHeaders()
    expect([headers['sec-fetch-site'], headers.cookie]).toEqual(['cross-site', undefined])
    await page.waitForURL(`${app.url}/settings`)
    expect(await page.locator('body').textContent()).toContain(`"subject":"person-${hasScript}"`)
    await context.close()
  },
  60_000,
)

describe('the form', () => {
  const FOREIGN = { origin: 'https://id.example.com', 'sec-fetch-site': 'cross-site' }

  async function asked() {
    const person = app.browser()
    await person.confirm(await app.link({ userId: 'forms' }))
    const url = new URL((await person.send('/settings/oauth/start')).headers.get('location') as string)
    return { person, state: url.searchParams.get('state') as string }
  }

  test('is sent on with what is used of it, and decides nothing: without the cookie of the sign-in it opens nothing', async () => {
    const { state } = await asked()
    const stranger = app.browser()
    const sent = await stranger.post(
      CALLBACK,
      { code: 'a b&c', state, user: '{"name":"x"}', returnTo: '//evil' },
      FOREIGN,
    )
    expect([sent.status, sent.headers.getSetCookie()]).toEqual([303, []])
    expect(sent.headers.get('location')).toBe(`${CALLBACK}?code=a+b%26c&state=${state}`)
    expect(sent.headers.get('cache-control')).toBe('no-store')
    expect((await stranger.send(sent.headers.get('location') as string)).status).toBe(403)
    expect(app.events.at(-1)).toMatchObject({ reason: 'sign_in_failed', attributes: { cause: 'state' } })
  })

  test.each<[string, string]>([
    ['without a state', 'code=a'],
    ['with two states', 'code=a&state=b&state=c'],
    ['that is empty', ''],
    ['that is too long', `code=a&state=b&x=${'x'.repeat(20_000)}`],
    ['with too many fields', `state=b${'&x=1'.repeat(50)}`],
  ])('%s is refused', async (_name, body) => {
    const type = { 'content-type': 'application/x-www-form-urlencoded' }
    const answer = await app.browser().send(CALLBACK, { method: 'POST', body, headers: { ...FOREIGN, ...type } })
    expect(answer.status).toBe(403)
    expect(app.last()).toBe('sign_in_failed')
  })

  test('says that the person did not want to, in the provider’s words for it', async () => {
    const { person, state } = await asked()
    const sent = await person.post(CALLBACK, { error: 'access_denied', state, iss: provider.issuer }, FOREIGN)
    expect((await person.send(sent.headers.get('location') as string)).status).toBe(403)
    expect(app.events.at(-1)).toMatchObject({ reason: 'sign_in_failed', attributes: { cause: 'access_denied' } })
  })

  test('is taken from no provider that answers in the query', async () => {
    const plain = await settingsApp({ oauth: provider.oauth, firstClaim: 'trust-link', realTime: true })
    try {
      const person = plain.browser()
      await person.confirm(await plain.link())
      const url = (await person.send('/settings/oauth/start')).headers.get('location') as string
      const answer = new URL(await signInAt(url, 'query'))
      const fields = Object.fromEntries(answer.searchParams)
      expect((await person.post(CALLBACK, fields, FOREIGN)).status).toBe(403)
      expect(plain.last()).toBe('cross_site')
      expect((await person.send(answer)).status).toBe(303)
      expect(person.cookies.has(SESSION)).toBe(true)
    } finally {
      await plain.close()
    }
  })
})
