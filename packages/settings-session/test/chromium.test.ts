import { createHmac } from 'node:crypto'
import { mkdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import type { Browser, BrowserContext, Page } from 'playwright-core'
import { launchChromium } from '../../../test/support/chromium.js'
import { type RunningServer, serve } from '../../../test/support/http-server.js'
import { type Harness, settingsApp } from './harness.js'
import { type RunningProvider, startProvider } from './support/provider.js'
import { until } from './support/until.js'

const SESSION = '__Host-countersign-settings'
const SCREENSHOTS = process.env.SCREENSHOTS_DIR

let chromium: Browser
let provider: RunningProvider
let app: Harness
let evil: RunningServer
beforeAll(async () => {
  ;[chromium, provider] = await Promise.all([launchChromium(), startProvider()])
  app = await settingsApp({ oauth: provider.oauth, firstClaim: 'trust-link', realTime: true })
  const form = (path: string) =>
    `<form id="f" method="post" action="${app.url}${path}" enctype="text/plain"><input name='{"a":"' value='"}'><button>Go</button></form><form id="g" method="post" action="${app.url}${path}"><input name="token" value="x"><button>Go</button></form>`
  evil = await serve((request, response) => {
    response.setHeader('content-type', 'text/html')
    response.end(form(new URL(request.url ?? '/', 'http://x').searchParams.get('to') ?? '/settings/logout'))
  })
}, 90_000)
afterAll(async () => {
  await chromium?.close()
  await Promise.all([app?.close(), evil?.close(), provider?.app.stop()])
})

/** A person with a browser of their own, and what their browser complained about. */
async function person(options: Parameters<Browser['newContext']>[0] = {}) {
  const context = await chromium.newContext(options)
  const page = await context.newPage()
  const problems: string[] = []
  page.on('pageerror', (error) => problems.push(error.message))
  page.on('console', (message) => {
    if (message.type() === 'error' && !message.text().startsWith('Failed to load resource'))
      problems.push(message.text())
  })
  return { context, page, problems }
}

async function shot(page: Page, name: string): Promise<void> {
  if (SCREENSHOTS === undefined) return
  const folder = fileURLToPath(new URL(SCREENSHOTS, `file://${process.cwd()}/`))
  mkdirSync(folder, { recursive: true })
  await page.screenshot({ path: `${folder}/${name}.png` })
}

async function signIn(page: Page, name: string): Promise<void> {
  await page.waitForURL(`${provider.issuer}/**`)
  await page.locator('input[name=login]').fill(name)
  await page.locator('input[name=password]').fill('any')
  await page.locator('button[type=submit]').click()
  await page.locator('input[name=prompt][value=consent]').waitFor({ state: 'attached' })
  await page.locator('button[type=submit]').click()
}

/**
 * Waits until the page is somewhere. A second click breaks off the navigation of the first, which `waitForURL` takes for
 * a failure.
 */
async function arrive(page: Page, isThere: (url: string) => boolean): Promise<void> {
  await until(() => page.url(), isThere)
  await page.waitForLoadState()
}

const bodyOf = async (page: Page) => (await page.locator('body').textContent()) ?? ''

async function sessionCookie(context: BrowserContext) {
  return (await context.cookies(app.url)).find(({ name }) => name === SESSION)
}

describe('[settings-chromium] with helmet on its defaults', () => {
  test('a link leads through the confirm page and the sign-in to the settings; a second person gets nothing', async () => {
    const link = await app.link()
    const one = await person()
    await one.page.goto(link)
    expect(one.page.url()).toBe(`${app.url}/settings/open`)
    await shot(one.page, 'confirm')
    await one.page.getByRole('button', { name: 'Continue and sign in with Example ID' }).click()
    await signIn(one.page, 'alice')
    await one.page.waitForURL(`${app.url}/settings`)
    expect(await bodyOf(one.page)).toContain('"subject":"alice"')
    expect(await sessionCookie(one.context)).toMatchObject({
      httpOnly: true,
      secure: true,
      sameSite: 'Lax',
      path: '/',
      domain: '127.0.0.1',
    })
    expect(one.problems).toEqual([])

    const two = await person()
    const answer = await two.page.goto(link)
    expect(answer?.status()).toBe(401)
    await two.page.getByRole('heading', { name: 'This link does not work' }).waitFor()
    await shot(two.page, 'error')
    expect(await sessionCookie(two.context)).toBeUndefined()
    await Promise.all([one.context.close(), two.context.close()])
  }, 60_000)

  test('a stolen link opens nothing for a fresh account', async () => {
    const owner = await person()
    await owner.page.goto(await app.link({ userId: 'victim' }))
    await owner.page.locator('form button:not([name])').click()
    await signIn(owner.page, 'victim-account')
    await owner.page.waitForURL(`${app.url}/settings`)

    const thief = await person()
    await thief.page.goto(await app.link({ userId: 'victim' }))
    await thief.page.locator('form button:not([name])').click()
    await signIn(thief.page, 'fresh-account')
    await thief.page.getByRole('heading', { name: 'This link is not for this account' }).waitFor()
    await shot(thief.page, 'mismatch')
    expect(await sessionCookie(thief.context)).toBeUndefined()
    expect((await thief.page.goto(`${app.url}/settings`))?.status()).toBe(401)
    await owner.page.reload()
    expect(await bodyOf(owner.page)).toContain('victim-account')
    await Promise.all([owner.context.close(), thief.context.close()])
  }, 60_000)

  test('the flow works without JavaScript', async () => {
    const { context, page } = await person({ javaScriptEnabled: false })
    await page.goto(await app.link({ userId: 'no-script' }))
    await page.locator('form button:not([name])').click()
    await signIn(page, 'no-script-account')
    await page.waitForURL(`${app.url}/settings`)
    expect(await bodyOf(page)).toContain('no-script-account')
    await context.close()
  }, 60_000)

  test('forms of another site are refused, with a session and with a link in the browser', async () => {
    const { context, page } = await person()
    await page.goto(await app.link({ userId: 'forged' }))
    await page.locator('form button:not([name])').click()
    await signIn(page, 'forged-account')
    await page.waitForURL(`${app.url}/settings`)
    await page.goto(await app.link({ userId: 'forged' }))
    const before = await sessionCookie(context)
    for (const path of ['/settings/logout', '/settings/open', '/settings/profile']) {
      for (const form of ['#f', '#g']) {
        await page.goto(`${evil.url}/?to=${encodeURIComponent(path)}`)
        const [answer] = await Promise.all([
          page.waitForResponse((response) => response.url() === `${app.url}${path}`),
          page.locator(`${form} button`).click(),
        ])
        // A Lax cookie stays at home, so some of these come without a session.
        expect([401, 403]).toContain(answer.status())
      }
    }
    expect(await sessionCookie(context)).toEqual(before)
    expect((await page.goto(`${app.url}/settings`))?.status()).toBe(200)
    await context.close()
  }, 60_000)

  test('Back from the provider leads to the confirm page, and the link still opens', async () => {
    const { context, page } = await person()
    await page.goto(await app.link({ userId: 'back' }))
    await page.locator('form button:not([name])').click()
    await page.waitForURL(`${provider.issuer}/**`)
    await page.goBack()
    await page.waitForURL((url) => url.href.startsWith(app.url) || url.href.startsWith(provider.issuer))
    if (!page.url().endsWith('/settings/open')) await page.goto(`${app.url}/settings/open`)
    await page.locator('form button:not([name])').click()
    await signIn(page, 'back-account')
    await page.waitForURL(`${app.url}/settings`)
    // Back once more, from the settings: nothing opens a second time, and nothing breaks.
    await page.goto(`${app.url}/settings/open`)
    expect(page.url()).toBe(`${app.url}/settings`)
    expect(await bodyOf(page)).toContain('back-account')
    await context.close()
  }, 60_000)

  test('a double click and two tabs open one session', async () => {
    const { context, page } = await person()
    const link = await app.link({ userId: 'tabs' })
    await page.goto(link)
    const other = await context.newPage()
    await other.goto(link)
    await page.goto(`${app.url}/settings/open`)
    await page.locator('form button:not([name])').dblclick()
    await arrive(page, (url) => url.startsWith(provider.issuer))
    await other.goto(`${app.url}/settings/open`)
    await other.locator('form button:not([name])').click()
    await other.waitForURL(`${provider.issuer}/**`)
    await signIn(other, 'tabs-account')
    await other.waitForURL(`${app.url}/settings`)
    // The first tab's sign-in was overtaken; its answer changes nothing, and the page leads to the settings.
    await page.locator('input[name=login]').fill('tabs-account')
    await page.locator('input[name=password]').fill('any')
    await page.locator('button[type=submit]').click()
    await page.waitForLoadState()
    await page.goto(`${app.url}/settings`)
    expect(await bodyOf(page)).toContain('tabs-account')
    expect(await app.settings.list({ platform: 'telegram', userId: 'tabs' })).toHaveLength(1)
    await context.close()
  }, 60_000)

  test('the button of the first of two tabs works, and the link clicked again leads to the settings', async () => {
    const { context, page, problems } = await person()
    const link = await app.link({ userId: 'again' })
    await page.goto(link)
    const other = await context.newPage()
    await other.goto(`${link}).`)
    await page.locator('form button:not([name])').click()
    await signIn(page, 'again-account')
    await page.waitForURL(`${app.url}/settings`)
    await other.locator('form button:not([name])').click()
    await other.waitForURL(`${app.url}/settings`)
    const third = await context.newPage()
    expect((await third.goto(link))?.status()).toBe(200)
    expect(third.url()).toBe(`${app.url}/settings`)
    expect(await bodyOf(third)).toContain('again-account')
    expect(await app.settings.list({ platform: 'telegram', userId: 'again' })).toHaveLength(1)
    expect(problems).toEqual([])
    await context.close()
  }, 60_000)

  test('signing out shows a page, and the session has ended', async () => {
    const { context, page } = await person()
    await page.goto(await app.link({ userId: 'leaving' }))
    await page.locator('form button:not([name])').click()
    await signIn(page, 'leaving-account')
    await page.waitForURL(`${app.url}/settings`)
    await page.route(`${app.url}/form`, (route) =>
      route.fulfill({
        contentType: 'text/html',
        body: '<form method="post" action="/settings/logout"><button>Sign out</button></form>',
      }),
    )
    await page.goto(`${app.url}/form`)
    await page.locator('button').click()
    await page.getByRole('heading', { name: 'You are signed out' }).waitFor()
    await shot(page, 'logged-out')
    expect(await sessionCookie(context)).toBeUndefined()
    await context.close()
  }, 60_000)
})

describe('where the link is enough', () => {
  test('[settings-chromium] [settings-telegram] the stable page posts what Telegram put into the fragment', async () => {
    const botToken = '7342037359:AAHI25ES9xCOMPokpYoz-p8XVrZUdygo2J4'
    const plain = await settingsApp({ realTime: true, telegram: { botToken } })
    const fields = { auth_date: String(Math.floor(Date.now() / 1000)), user: '{"id":42,"first_name":"A"}' }
    const key = createHmac('sha256', 'WebAppData').update(botToken).digest()
    const text = `auth_date=${fields.auth_date}\nuser=${fields.user}`
    const data = new URLSearchParams({ ...fields, hash: createHmac('sha256', key).update(text).digest('hex') })
    const { context, page, problems } = await person()
    await page.goto(
      `${plain.url}/settings/telegram#tgWebAppData=${encodeURIComponent(data.toString())}&tgWebAppVersion=8`,
    )
    await page.waitForURL(`${plain.url}/settings`)
    expect(await bodyOf(page)).toContain('"userId":"42"')
    // Without data it leads who is signed in to the settings.
    await page.goto(`${plain.url}/settings/telegram`)
    await page.waitForURL(`${plain.url}/settings`)
    await context.clearCookies()
    await page.goto(`${plain.url}/settings/telegram`)
    await page.getByText('Open this page again from the chat').waitFor()
    await shot(page, 'telegram')
    expect(problems).toEqual([])
    await context.close()
    await plain.close()
  }, 60_000)

  test('[settings-chromium] a double click opens one session and ends in the settings', async () => {
    const plain = await settingsApp({ realTime: true })
    const { context, page, problems } = await person()
    for (let run = 0; run < 5; run += 1) {
      await page.goto(await plain.link({ userId: `double${run}` }))
      await page.locator('form button:not([name])').dblclick()
      await arrive(page, (url) => url === `${plain.url}/settings`)
      await page.getByText('"principal"').waitFor()
      expect(await bodyOf(page)).toContain(`double${run}`)
      expect(await plain.settings.list({ platform: 'telegram', userId: `double${run}` })).toHaveLength(1)
    }
    expect(problems).toEqual([])
    await context.close()
    await plain.close()
  }, 60_000)

  test('[settings-chromium] [settings-canary] the link is in no Referer, no history entry and no page', async () => {
    const plain = await settingsApp({ realTime: true })
    const { context, page } = await person()
    const link = await plain.link()
    const token = new URL(link).searchParams.get('s') as string
    const seen: string[] = []
    context.on('request', (request) => {
      if (request.url() !== link) seen.push(request.url(), JSON.stringify(request.headers()))
    })
    await page.goto('about:blank')
    await page.goto(link)
    seen.push(await page.content(), await page.evaluate('location.href + document.referrer'))
    await page.locator('form button:not([name])').click()
    await page.waitForURL(`${plain.url}/settings`)
    seen.push(await page.content(), await page.evaluate('location.href + document.referrer'))
    const client = await context.newCDPSession(page)
    const { entries } = (await client.send('Page.getNavigationHistory')) as { entries: { url: string }[] }
    seen.push(...entries.map(({ url }) => url))
    expect(entries.map(({ url }) => new URL(url).pathname)).toContain('/settings/open')
    // The cookie of the browser itself is where the link went; it is not part of what others see.
    const others = seen.filter((text) => text.includes(token) && !text.includes('__Host-countersign-settings-open'))
    expect(others).toEqual([])
    await context.close()
    await plain.close()
  }, 60_000)
})
