import { request as httpRequest } from 'node:http'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import type { TestBrowser } from './browser.js'
import { type Harness, settingsApp } from './harness.js'
import { openWithSignIn, type RunningProvider, signInAt, startProvider } from './support/provider.js'

let provider: RunningProvider
let app: Harness
beforeAll(async () => {
  provider = await startProvider()
  app = await settingsApp({ oauth: provider.oauth, firstClaim: 'trust-link', realTime: true })
}, 60_000)
afterAll(() => Promise.all([app?.close(), provider?.app.stop()]))

const OPEN = '__Host-countersign-settings-open'
const SESSION = '__Host-countersign-settings'
const SIGN_IN = '__Host-countersign-settings-tx'
let users = 0
const link = () => app.link({ userId: `w${users++}` })

async function seen(browser: TestBrowser, path: string | URL) {
  const answer = await browser.send(path)
  const text = await answer.text()
  const button = /<a class="button" href="([^"]+)"/.exec(text)?.[1]
  return [answer.status, answer.headers.get('location') ?? /<h1>(.*)<\/h1>/.exec(text)?.[1], button]
}

/** At the provider, with the URL that leads back. */
async function atProvider(): Promise<{ readonly browser: TestBrowser; readonly back: string }> {
  const browser = app.browser()
  await browser.confirm(await link())
  const start = await browser.send('/settings/oauth/start')
  return { browser, back: await signInAt(String(start.headers.get('location')), `w${users}`) }
}

const NO_LINK = 'This browser does not have your link'
const OTHER = 'This sign-in began in another browser'

describe('a browser is told what to do', () => {
  test('that has no link, or keeps no cookies, on every page', async () => {
    for (const path of ['/open', '/oauth/start', '/waiting']) {
      expect([path, await seen(app.browser(), `/settings${path}`)]).toEqual([path, [401, NO_LINK, undefined]])
    }
    expect(await (await app.browser().send('/settings/open')).text()).toMatch(
      /cookies.*Safari does not keep secure cookies/,
    )
    const forgetful = app.browser()
    const { action, fields } = await forgetful.form(await forgetful.open(await link()))
    forgetful.cookies.clear()
    const posted = await forgetful.post(action, fields)
    expect([posted.status, await posted.text()]).toEqual([401, expect.stringContaining(NO_LINK)])
  })

  test('on https without a word of http', async () => {
    const secure = await settingsApp({ baseUrl: 'https://app.example.com/settings' })
    const text = await (await secure.browser().send('/settings/open')).text()
    expect(text).toContain('this browser does not keep cookies')
    expect(text).not.toContain('localhost')
    await secure.close()
  })

  test('that has a link but no session: back to its button', async () => {
    const browser = app.browser()
    await browser.open(await link())
    expect(await seen(browser, '/settings/oauth/start')).toEqual([401, NO_LINK, '/settings/open'])
  })

  test('whose link another browser opened meanwhile: it can take it back, until somebody has signed in', async () => {
    const url = await link()
    const inApp = app.browser()
    await inApp.confirm(url)
    const real = app.browser()
    await real.confirm(url)
    const ended = 'This sign-in has ended'
    expect(await seen(inApp, '/settings/oauth/start')).toEqual([401, ended, '/settings/open'])
    await inApp.confirm(url)
    expect((await inApp.send('/settings/oauth/start')).status).toBe(302)
    expect(await seen(real, '/settings/waiting')).toEqual([401, ended, '/settings/open'])
    expect((await openWithSignIn(real, url, `w${users}`)).status).toBe(303)
    expect((await seen(inApp, '/settings/open'))[0]).toBe(401)
  })

  test('where the provider led, and the sign-in began elsewhere', async () => {
    const { browser, back } = await atProvider()
    expect(await seen(app.browser(), back)).toEqual([403, OTHER, undefined])
    expect(app.last()).toBe('sign_in_failed')
    // It changed nothing where the sign-in began.
    expect((await browser.send(back)).status).toBe(303)
    expect((await browser.send('/settings')).status).toBe(200)
    // With a link of its own, that browser has a way on.
    const other = app.browser()
    await other.open(await link())
    expect(await seen(other, back)).toEqual([403, OTHER, '/settings/open'])
  })

  test('whose sign-in took too long: once more', async () => {
    const { browser, back } = await atProvider()
    browser.cookies.delete(SIGN_IN)
    expect(await seen(browser, back)).toEqual([403, 'The sign-in did not work', '/settings/oauth/start'])
  })
})

describe('two tabs at the provider', () => {
  test('have one sign-in: either comes back, and the other leads to the settings', async () => {
    for (const first of [0, 1]) {
      const browser = app.browser()
      await browser.confirm(await link())
      const tabs: string[] = []
      for (const _tab of [0, 1]) {
        const start = await browser.send('/settings/oauth/start')
        tabs.push(await signInAt(String(start.headers.get('location')), `w${users}`))
      }
      for (const back of first === 0 ? tabs : tabs.reverse()) {
        expect(await seen(browser, back)).toEqual([303, '/settings', undefined])
      }
      expect((await browser.send('/settings')).status).toBe(200)
      expect(app.events.filter(({ reason }) => reason === 'replayed')).toEqual([])
    }
  })

  test('an answer whose sign-in is taken already leads a signed-in browser on, and no other', async () => {
    const { browser, back } = await atProvider()
    const held = browser.cookies.get(SIGN_IN) as string
    await browser.send(back)
    const thief = app.browser()
    thief.cookies.set(SIGN_IN, held)
    expect((await seen(thief, back)).slice(0, 2)).toEqual([403, OTHER])
    expect(thief.cookies.has(SESSION)).toBe(false)
    browser.cookies.set(SIGN_IN, held)
    expect(await seen(browser, back)).toEqual([303, '/settings', undefined])
  })

  test('a sign-in of another session is not taken up', async () => {
    const { browser } = await atProvider()
    const held = browser.cookies.get(SIGN_IN) as string
    const other = app.browser()
    await other.confirm(await link())
    other.cookies.set(SIGN_IN, held)
    await other.send('/settings/oauth/start')
    expect(other.cookies.get(SIGN_IN)).not.toBe(held)
  })
})

test('a bookmark of any page leads a signed-in browser to the settings, or to the sign-in', async () => {
  const browser = app.browser()
  await openWithSignIn(browser, await link(), `w${users}`)
  for (const path of ['/open', '/oauth/callback', '/waiting', '/logout']) {
    expect([path, await seen(browser, `/settings${path}`)]).toEqual([path, [303, '/settings', undefined]])
  }
  expect((await browser.send('/settings/oauth/start')).status).toBe(302)
  await browser.post('/settings/logout')
  expect(await seen(browser, '/settings/logout')).toEqual([303, '/settings', undefined])
  expect((await seen(browser, '/settings')).slice(0, 2)).toEqual([401, 'You are not signed in'])
  expect(browser.cookies.has(OPEN)).toBe(false)
})

test('a refusal is a page where a browser navigates, whatever it accepts', async () => {
  const typeFor = (headers: Record<string, string>) =>
    new Promise<string | undefined>((resolve, reject) => {
      httpRequest(`${app.url}/settings`, { headers }, (response) => {
        response.resume()
        resolve(response.headers['content-type'])
      })
        .on('error', reject)
        .end()
    })
  for (const navigation of [{ 'sec-fetch-mode': 'navigate' }, { 'upgrade-insecure-requests': '1' }]) {
    const headers = navigation as Record<string, string>
    expect(await typeFor({ ...headers, accept: '*/*' })).toMatch(/^text\/html/)
    expect(await typeFor({ ...headers, accept: 'application/json' })).toMatch(/json/)
  }
  expect(await typeFor({ accept: '*/*' })).toMatch(/json/)
  expect(await typeFor({ accept: '*/*', 'sec-fetch-mode': 'cors' })).toMatch(/json/)
})
