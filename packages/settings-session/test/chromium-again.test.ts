import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { requireSettingsSession } from '@countersign/settings-session'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import type { Browser, BrowserContext, Page } from 'playwright-core'
import { launchChromium, launchPersonalChromium } from '../../../test/support/chromium.js'
import { type Harness, settingsApp } from './harness.js'
import { type RunningProvider, signInAt, startProvider } from './support/provider.js'
import { until } from './support/until.js'

const PRIVATE = `<!doctype html><title>Settings</title><p id="private">the person's own settings</p>
<form method="post" action="/settings/logout"><button>Sign out</button></form>`

let chromium: Browser
let provider: RunningProvider
let app: Harness
let plain: Harness
const folders: string[] = []
beforeAll(async () => {
  ;[chromium, provider] = await Promise.all([launchChromium(), startProvider()])
  app = await settingsApp({ oauth: provider.oauth, firstClaim: 'trust-link', realTime: true })
  plain = await settingsApp({
    realTime: true,
    before: (host, settings) => {
      const gate = requireSettingsSession({ settings })
      host.get('/settings/private', gate, (_request, response) => void response.send(PRIVATE))
      host.get('/settings/cached', gate, (_request, response) => {
        response.set('Cache-Control', 'private, max-age=600').send(PRIVATE)
      })
    },
  })
}, 90_000)
afterAll(async () => {
  await chromium?.close()
  await Promise.all([app?.close(), plain?.close(), provider?.app.stop()])
  for (const folder of folders) rmSync(folder, { recursive: true, force: true })
})

function personalChromium(preferences?: object): Promise<BrowserContext> {
  const folder = mkdtempSync(`${tmpdir()}/settings-chromium-`)
  folders.push(folder)
  return launchPersonalChromium(folder, preferences)
}

async function tab(context: BrowserContext, url: string): Promise<Page> {
  const page = await context.newPage()
  await page.goto(url)
  return page
}

async function logIn(page: Page, name: string): Promise<void> {
  await page.waitForURL(`${provider.issuer}/**`)
  await page.locator('input[name=login]').fill(name)
  await page.locator('input[name=password]').fill('any')
  await page.locator('button[type=submit]').click()
}

async function consent(page: Page): Promise<void> {
  await page.locator('input[name=prompt][value=consent]').waitFor({ state: 'attached' })
  await page.locator('button[type=submit]').click()
}

const heading = (page: Page, name: string) => page.getByRole('heading', { name }).waitFor()
const bodyOf = async (page: Page) => (await page.locator('body').textContent()) ?? ''

describe('[settings-chromium] in more than one browser', () => {
  test('an app on the phone opened the link, and its person continues in the real browser', async () => {
    const link = await app.link({ userId: 'in-app' })
    const [inApp, real] = await Promise.all([chromium.newContext(), chromium.newContext()])
    const webview = await tab(inApp, link)
    await webview.locator('form button:not([name])').click()
    await webview.waitForURL(`${provider.issuer}/**`)
    // "Open in browser" takes along what the address bar shows: no link is in it.
    for (const shown of ['/settings/open', '/settings/oauth/start']) {
      const page = await tab(real, `${app.url}${shown}`)
      await heading(page, 'This browser does not have your link')
      expect(await bodyOf(page)).toMatch(/copy the link from the chat, and open it in this browser/)
    }
    const page = await tab(real, link)
    await page.locator('form button:not([name])').click()
    await logIn(page, 'in-app-account')
    await consent(page)
    await page.waitForURL(`${app.url}/settings`)
    expect(await bodyOf(page)).toContain('in-app-account')
    // The app's browser is told, and nothing that it does costs the person their session.
    await logIn(webview, 'in-app-account')
    await consent(webview)
    await heading(webview, 'This sign-in has ended')
    await webview.getByRole('link', { name: 'Continue with your link' }).click()
    await heading(webview, 'This link does not work')
    await page.reload()
    expect(await bodyOf(page)).toContain('in-app-account')
    await Promise.all([inApp.close(), real.close()])
  }, 60_000)

  test('the provider leads back to another browser: it says where to continue, and there it works', async () => {
    const [one, two] = await Promise.all([chromium.newContext(), chromium.newContext()])
    const page = await tab(one, await app.link({ userId: 'elsewhere' }))
    await page.locator('form button:not([name])').click()
    await page.waitForURL(`${provider.issuer}/**`)
    // What the provider's own app would open: the way back from this very sign-in.
    const start = await one.request.get(`${app.url}/settings/oauth/start`, { maxRedirects: 0 })
    const back = await signInAt(String(start.headers().location), 'elsewhere-account')
    const other = await tab(two, back)
    await heading(other, 'This sign-in began in another browser')
    await page.goto(back)
    await page.waitForURL(`${app.url}/settings`)
    await Promise.all([one.close(), two.close()])
  }, 60_000)

  test('two tabs at the provider: one signs in, and the second comes to the settings by itself', async () => {
    const context = await chromium.newContext()
    const page = await tab(context, await app.link({ userId: 'two-tabs' }))
    await page.locator('form button:not([name])').click()
    await page.waitForURL(`${provider.issuer}/**`)
    const second = await tab(context, `${app.url}/settings/oauth/start`)
    await second.waitForURL(`${provider.issuer}/**`)
    await logIn(page, 'two-tabs-account')
    await consent(page)
    await page.waitForURL(`${app.url}/settings`)
    await logIn(second, 'two-tabs-account')
    await second.waitForURL(`${app.url}/settings`)
    expect(await bodyOf(second)).toContain('two-tabs-account')
    expect(await app.settings.list({ platform: 'telegram', userId: 'two-tabs' })).toHaveLength(1)
    // Bookmarks of the pages on the way.
    for (const path of ['/oauth/callback', '/waiting', '/open', '/logout']) {
      await second.goto(`${app.url}/settings${path}`)
      expect(second.url()).toBe(`${app.url}/settings`)
    }
    await context.close()
  }, 60_000)
})

describe('[settings-chromium] [settings-release] a person whom somebody sent a link of their own', () => {
  test("is told at their own link that the account is another user's, and a double click releases it and opens the settings", async () => {
    const [led, own] = await Promise.all([chromium.newContext(), chromium.newContext()])
    const page = await tab(led, await app.link({ userId: 'sender' }))
    await page.locator('form button:not([name])').click()
    await logIn(page, 'led-account')
    await consent(page)
    await page.waitForURL(`${app.url}/settings`)
    const mine = await tab(own, await app.link({ userId: 'led' }))
    await mine.locator('form button:not([name])').click()
    await logIn(mine, 'led-account')
    await consent(mine)
    await heading(mine, 'This account belongs to another user here')
    expect(await bodyOf(mine)).not.toContain('sender')
    // The address is that of the sign-in, which is over. The page is at the address of the next one.
    await mine.goto(`${app.url}/settings/oauth/start`)
    await mine.locator('form button').dblclick()
    await until(
      () => mine.url(),
      (url) => url === `${app.url}/settings`,
    )
    await mine.waitForLoadState()
    expect(await bodyOf(mine)).toContain('led-account')
    expect((await page.reload())?.status()).toBe(401)
    await Promise.all([led.close(), own.close()])
  }, 60_000)
})

describe('[settings-chromium] a browser that keeps no cookies', () => {
  test('is told so when the link is opened, and where a developer meets it: Safari on http://localhost', async () => {
    const context = await personalChromium({ profile: { default_content_setting_values: { cookies: 2 } } })
    const page = await tab(context, await plain.link({ userId: 'no-cookies' }))
    expect(await context.cookies()).toEqual([])
    await heading(page, 'This browser does not have your link')
    expect(await bodyOf(page)).toMatch(
      /does not keep cookies.*Safari does not keep secure cookies for http:\/\/localhost/,
    )
    await context.close()
  }, 60_000)
})

describe('[settings-chromium] after signing out', () => {
  test('Back shows nothing of the settings, neither from the cache nor from the back/forward cache', async () => {
    const context = await personalChromium()
    const page = await tab(context, await plain.link({ userId: 'leaves' }))
    await page.locator('form button:not([name])').click()
    await page.waitForURL(`${plain.url}/settings`)
    const signOutAndBack = async (path: string) => {
      await page.goto(`${plain.url}${path}`)
      await page.locator('form button:not([name])').click()
      await heading(page, 'You are signed out')
      // Playwright's own goBack waits for events that a page out of the back/forward cache does not have.
      await page.evaluate('setTimeout(() => history.back())')
    }
    await signOutAndBack('/settings/private')
    await heading(page, 'You are not signed in')
    expect(await page.locator('#private').count()).toBe(0)
    // A handler's own header stands: so the browser could have shown the page.
    await page.goto(await plain.link({ userId: 'leaves' }))
    await page.locator('form button:not([name])').click()
    await page.waitForURL(`${plain.url}/settings`)
    await signOutAndBack('/settings/cached')
    await page.locator('#private').waitFor()
    await context.close()
  }, 60_000)

  test('Back from the settings leads to them, and a bookmark of each page too', async () => {
    const context = await personalChromium()
    const page = await tab(context, await plain.link({ userId: 'bookmarks' }))
    await page.locator('form button:not([name])').click()
    await page.waitForURL(`${plain.url}/settings`)
    for (const path of ['/open', '/logout']) {
      await page.goto(`${plain.url}/settings${path}`)
      expect(page.url()).toBe(`${plain.url}/settings`)
    }
    await context.close()
  }, 60_000)
})
