import { mkdirSync } from 'node:fs'
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import express from 'express'
import type { Browser, Page } from 'playwright-core'
import { launchChromium } from '../../../test/support/chromium.js'
import { type RunningServer, serve } from '../../../test/support/http-server.js'
import { type PageContents, type PageName, resolvePages } from '../src/pages/page-options.js'
import { renderPage } from '../src/pages/render-page.js'

const AXE = createRequire(import.meta.url).resolve('axe-core/axe.min.js')
const SCREENSHOTS = process.env.SCREENSHOTS_DIR
const LOGO = `data:image/svg+xml,${encodeURIComponent('<svg xmlns="http://www.w3.org/2000/svg" width="40" height="40"><circle cx="20" cy="20" r="18" fill="#7a1fa2"/></svg>')}`

const confirm: PageContents['confirm'] = {
  action: '/open',
  fields: { token: 'x' },
  platform: 'Slack',
  user: 'U•••7',
  needsCode: false,
  isCodeWrong: false,
  isCodeIncomplete: false,
  kind: 'settings',
  agentId: 'planner',
  connects: false,
  returns: true,
  provider: 'Example ID',
  expiresAt: new Date(Date.UTC(2026, 0, 1, 0, 10)),
  secondsLeft: 545,
}

/** Every page, and each form that it takes. */
const pages: Readonly<Record<string, { [N in PageName]: readonly [N, PageContents[N]] }[PageName]>> = {
  confirm: [
    'confirm',
    { ...confirm, display: { account: 'Alice', app: 'Calendar', purpose: 'Plan meetings', chat: 'Acme' } },
  ],
  'confirm-warnings': ['confirm', { ...confirm, connects: true, replaces: { platform: 'Telegram', user: '4•••2' } }],
  'confirm-code': ['confirm', { ...confirm, needsCode: true, isCodeWrong: true, kind: 'integration' }],
  continue: [
    'interstitial',
    { goTo: '/never', text: ['waitSignIn', { provider: 'Example ID' }], link: 'continue', delaySeconds: 0 },
  ],
  waiting: ['interstitial', { goTo: '/waiting', text: 'waitChat', link: 'checkAgain', delaySeconds: 3 }],
  error: ['error', { status: 401, reason: 'spent', words: 'linkRefused', link: { href: '/', text: 'tryAgain' } }],
  mismatch: ['error', { status: 403, reason: 'identity_mismatch', words: 'identityMismatch' }],
  'logged-out': ['loggedOut', {}],
  release: ['release', { action: '/x', fields: { _csrf: 'x' }, platform: 'Slack', user: 'U•••7', returns: true }],
  'not-me': ['notMe', {}],
  telegram: ['telegram', { action: '/telegram' }],
}

let chromium: Browser
let server: RunningServer
beforeAll(async () => {
  chromium = await launchChromium()
  const theme = { brand: 'Example', logo: LOGO, icon: LOGO, colour: '#7a1fa2' }
  const resolved = resolvePages({ lang: ['en', 'de', 'es', 'ar'], theme })
  const app = express()
  app.get('/waiting', (_request, response) => void response.json({ waiting: true }))
  app.get('/page/:name', (request, response) => {
    const [name, content] = pages[request.params.name] as readonly [PageName, never]
    response.type('html').send(renderPage(resolved, request, response, name, content))
  })
  server = await serve(app)
}, 90_000)
afterAll(async () => {
  await chromium?.close()
  await server?.close()
})

interface Violation {
  readonly id: string
  readonly nodes: readonly { readonly html: string }[]
}

/** What axe finds on a page, of all its rules. */
async function findings(page: Page, name: string): Promise<readonly string[]> {
  await page.goto(`${server.url}/page/${name}`, { waitUntil: 'domcontentloaded' })
  await page.addScriptTag({ path: AXE })
  const violations = (await page.evaluate(
    `axe.run(document, { resultTypes: ['violations'], preload: false }).then((results) => results.violations)`,
  )) as Violation[]
  const isWide = await page.evaluate('document.documentElement.scrollWidth > document.documentElement.clientWidth')
  return [
    ...violations.map(({ id, nodes }) => `${name}: ${id} ${nodes[0]?.html}`),
    ...(isWide === true ? [`${name}: is wider than the screen`] : []),
  ]
}

describe.each([
  ['light', { colorScheme: 'light' }],
  ['dark', { colorScheme: 'dark' }],
  ['forced colours', { forcedColors: 'active' }],
  ['a narrow phone', { viewport: { width: 320, height: 640 } }],
] as const)('in %s', (_look, options) => {
  test.each(['en', 'ar'])(
    'axe finds nothing on any page, in %s',
    async (locale) => {
      // Axe is a script of the test's own.
      const context = await chromium.newContext({ ...options, locale, bypassCSP: true })
      const page = await context.newPage()
      // Where a page would go on to by itself: after this answer a browser stays.
      await page.route('**/never', (route) => route.fulfill({ status: 204 }))
      const found: string[] = []
      for (const name of Object.keys(pages)) found.push(...(await findings(page, name)))
      await context.close()
      expect(found).toEqual([])
    },
    120_000,
  )
})

test('the brand shows under the policy of the page: its picture is loaded, and its colour is the button', async () => {
  const context = await chromium.newContext({ locale: 'en' })
  const page = await context.newPage()
  const problems: string[] = []
  page.on('console', (message) => problems.push(message.text()))
  await page.goto(`${server.url}/page/confirm`)
  expect(
    await page.locator('.brand img').evaluate((image) => (image as unknown as { naturalWidth: number }).naturalWidth),
  ).toBe(40)
  const colour = (property: string) =>
    page
      .locator('button')
      .first()
      .evaluate((button, name) => {
        const { getComputedStyle } = globalThis as unknown as {
          getComputedStyle(element: unknown): { getPropertyValue(name: string): string }
        }
        return getComputedStyle(button).getPropertyValue(name)
      }, property)
  expect(await colour('background-color')).toBe('rgb(122, 31, 162)')
  await page.emulateMedia({ forcedColors: 'active' })
  expect([await colour('border-top-style'), await colour('border-top-width')]).toEqual(['solid', '1px'])
  expect(await colour('border-top-color')).not.toBe(await colour('background-color'))
  expect(problems).toEqual([])
  await context.close()
}, 60_000)

test('the page that waits asks by itself, and does not load again meanwhile; the field of wrong digits has the focus', async () => {
  const context = await chromium.newContext()
  const page = await context.newPage()
  const asked: string[] = []
  page.on('request', (request) => asked.push(`${request.resourceType()} ${new URL(request.url()).pathname}`))
  await page.goto(`${server.url}/page/waiting`)
  await page.waitForRequest(`${server.url}/waiting`)
  expect(asked.filter((one) => one.startsWith('document'))).toEqual(['document /page/waiting'])
  await page.goto(`${server.url}/page/confirm-code`)
  expect(await page.locator('#code:focus').count()).toBe(1)
  await context.close()
}, 60_000)

test('pictures for the guide', async () => {
  if (SCREENSHOTS === undefined) return expect(SCREENSHOTS).toBeUndefined()
  const folder = fileURLToPath(new URL(SCREENSHOTS, `file://${process.cwd()}/`))
  mkdirSync(folder, { recursive: true })
  const phone = { width: 390, height: 760 }
  const looks = [
    ['', {}],
    ['-dark', { colorScheme: 'dark' }],
    ['-phone', { viewport: phone }],
    ['-phone-ar', { viewport: phone, locale: 'ar' }],
  ] as const
  for (const [suffix, options] of looks) {
    const context = await chromium.newContext({ locale: 'en', viewport: { width: 800, height: 640 }, ...options })
    for (const name of ['confirm', 'confirm-warnings', 'error', 'mismatch', 'release', 'logged-out', 'telegram']) {
      if (suffix !== '' && !name.startsWith('confirm')) continue
      const page = await context.newPage()
      await page.goto(`${server.url}/page/${name}`)
      await page.screenshot({ path: `${folder}/${name}${suffix}.png` })
      await page.close()
    }
    await context.close()
  }
}, 60_000)
