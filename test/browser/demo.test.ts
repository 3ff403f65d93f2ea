import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync } from 'node:fs'
import { createRequire } from 'node:module'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import type { Browser, BrowserContextOptions, Page } from 'playwright-core'
import { launchChromium } from '../support/chromium.js'

const AXE = createRequire(import.meta.url).resolve('axe-core/axe.min.js')
const SCREENSHOTS = process.env.SCREENSHOTS_DIR

let demo: ChildProcess
let baseUrl: string
let browser: Browser

beforeAll(async () => {
  const main = fileURLToPath(new URL('../../packages/demo/dist/main.js', import.meta.url))
  const { REDIS_URL: _unused, PORT: _port, NODE_OPTIONS: _flags, ...env } = process.env
  demo = spawn(process.execPath, [main], { env, stdio: ['ignore', 'pipe', 'inherit'] })
  for await (const line of createInterface({ input: demo.stdout as NodeJS.ReadableStream })) {
    const found = /http:\/\/localhost:\d+/.exec(line)
    if (found === null) continue
    baseUrl = found[0]
    break
  }
  demo.stdout?.resume()
  browser = await launchChromium()
}, 60_000)
afterAll(async () => {
  await browser?.close()
  if (demo?.exitCode === null) {
    const gone = once(demo, 'exit')
    demo.kill('SIGTERM')
    await gone
  }
})

/** A page in a browser of its own, and what its console complains about: what the policy blocks, too. */
async function openPage(options: BrowserContextOptions = {}): Promise<{ page: Page; problems: string[] }> {
  const page = await (await browser.newContext(options)).newPage()
  const problems: string[] = []
  page.on('pageerror', (error) => problems.push(error.message))
  page.on('console', (message) => {
    if (message.type() === 'error') problems.push(`${message.text()} (${message.location().url})`)
  })
  page.on('request', (request) => {
    if (!request.url().startsWith(`${baseUrl}/`) && !request.url().startsWith('data:')) problems.push(request.url())
  })
  await page.goto(baseUrl)
  return { page, problems }
}

async function sendAll(page: Page): Promise<void> {
  await page.getByRole('button', { name: 'Send all 30' }).click()
  await page.locator('#status', { hasText: '30 requests sent' }).waitFor()
}

/** What a part of the page shows. */
async function textOf(page: Page, selector: string): Promise<string> {
  // biome-ignore lint/performance/useDomNodeTextContent: the spaces between elements count
  const text = await page.locator(selector).innerText()
  return text.replace(/\s+/g, ' ')
}

test('an attack that is pressed by keyboard says what both sides answered and why, and shows its event', async () => {
  const { page, problems } = await openPage()
  await page.getByRole('button', { name: 'Replay', exact: true }).focus()
  await page.keyboard.press('Enter')
  await page.locator('#status', { hasText: 'Replay.' }).waitFor()
  expect(await textOf(page, '#status')).toBe('Replay. Countersign: refused 401 replayed. The usual choice: let in 200.')
  expect(await textOf(page, '#service-replay .ours dd')).toBe(
    'Refused (right) 401 replayed A signature is accepted once.',
  )
  expect(await textOf(page, '#service-replay .usual dd')).toMatch(/^Let in \(wrong\) 200 The key is the same in every/)
  expect(await textOf(page, '#ours-count')).toBe('1')
  expect(await textOf(page, '#usual-count')).toBe('0')

  await page.keyboard.press('Tab')
  await page.keyboard.press('Enter')
  await page.locator('#service-replay .more').waitFor()
  expect(await textOf(page, '#service-replay .more')).toMatch(
    /All that was sent POST \/internal\/executions → 200 POST \/internal\/executions → 401 Countersign’s answer HTTP\/1.1 401/,
  )
  expect(await textOf(page, '#service-replay .event')).toMatch(/type access\.denied .*reason replayed/)
  await page.locator('#events li', { hasText: 'replayed' }).first().waitFor()
  expect(problems).toEqual([])
  await page.context().close()
}, 60_000)

test('all requests in turn: ours is right in 30, the usual choices in 12; a warning of the process is in the log', async () => {
  const { page, problems } = await openPage()
  await page.getByRole('button', { name: 'A token for another audience', exact: true }).click()
  await page.locator('#events li', { hasText: 'COUNTERSIGN_OAUTH_WRONG_AUDIENCE' }).waitFor()
  await sendAll(page)
  expect(await textOf(page, '.score')).toBe('Countersign 30 of 30 right The usual choices 12 of 30 right')
  expect(await page.locator('.side .idle').count()).toBe(0)
  // In words, not in colour alone.
  expect(await textOf(page, '#client-audience .usual dd')).toMatch(
    /^Refused \(right\) 401 It compares the audience, too/,
  )
  expect(await textOf(page, '#client-keys-down .usual dd')).toMatch(
    /^Refused \(wrong\) 401 It calls a good token invalid/,
  )
  expect(await textOf(page, '#events')).toMatch(/settings\.link\.refused settings-session unknown/)
  expect(problems).toEqual([])
  await page.context().close()
}, 60_000)

test('the person at the page gets a link and digits, the agent a receipt, and another browser gets nothing', async () => {
  const { page, problems } = await openPage()
  await page.getByRole('button', { name: 'Ask for my settings' }).click()
  const link = page.getByRole('link', { name: 'Open your settings' })
  await link.waitFor()
  await page.locator('#chat pre').waitFor()
  expect(await textOf(page, '#chat pre')).toContain('"type": "settings_link"')
  const digits = await textOf(page, '#chat .digits')
  expect(digits).toMatch(/^\d{6}$/)

  const [settings] = await Promise.all([page.context().waitForEvent('page'), link.click()])
  await settings.locator('#code').fill(digits)
  await settings.locator('form button:not([name])').click()
  await settings.getByRole('heading', { name: 'Settings' }).waitFor()
  expect(await settings.locator('body').textContent()).toContain('you on demo')
  await page.locator('#events li', { hasText: 'settings.session.opened' }).first().waitFor()
  expect(problems).toEqual([])

  const other = await (await browser.newContext()).newPage()
  const answer = await other.goto((await link.getAttribute('href')) as string)
  expect(answer?.status()).toBe(401)
}, 60_000)

test('the policy allows this host alone, and another site cannot press a button', async () => {
  const { headers } = await fetch(baseUrl)
  expect(headers.get('content-security-policy')).toBe(
    "default-src 'none';script-src 'self';style-src 'self';img-src 'self' data:;connect-src 'self';form-action 'self';base-uri 'none';frame-ancestors 'none'",
  )
  const post = (site: string) =>
    fetch(`${baseUrl}/rows/service-valid`, { method: 'POST', headers: { 'Sec-Fetch-Site': site } })
  expect((await post('cross-site')).status).toBe(403)
  expect((await post('same-origin')).status).toBe(200)
})

interface Violation {
  readonly id: string
  readonly nodes: readonly { readonly html: string }[]
}

/** What axe finds, of all its rules. */
async function findings(page: Page): Promise<readonly string[]> {
  const violations = (await page.evaluate(
    `axe.run(document, { resultTypes: ['violations'], preload: false }).then((results) => results.violations)`,
  )) as Violation[]
  return violations.map(({ id, nodes }) => `${id} ${nodes[0]?.html}`)
}

test('axe finds nothing, in any look, before and after the requests are sent; and the page is never wider than the screen', async () => {
  // Axe is a script of the test's own.
  const { page } = await openPage({ bypassCSP: true })
  await page.addScriptTag({ path: AXE })
  expect(await findings(page)).toEqual([])
  await sendAll(page)
  for (const id of ['service-replay', 'person-preview']) await page.locator(`#${id} .toggle`).click()
  for (const look of [{}, { colorScheme: 'dark' }, { colorScheme: null, forcedColors: 'active' }] as const) {
    await page.emulateMedia(look)
    expect([look, await findings(page)]).toEqual([look, []])
  }
  await page.emulateMedia({ forcedColors: 'none' })
  const wide: number[] = []
  for (const width of [1440, 1280, 1024, 960, 768, 704, 576, 390, 360]) {
    await page.setViewportSize({ width, height: 800 })
    const isWide = await page.evaluate('document.documentElement.scrollWidth > document.documentElement.clientWidth')
    if (isWide === true) wide.push(width)
    // Playwright clicks only what would get the click: nothing covers it.
    await page.locator('#client-valid .run').click({ trial: true })
    await page.locator('#client-valid .toggle').click({ trial: true })
  }
  expect(wide).toEqual([])
  expect(await findings(page)).toEqual([])
  await page.context().close()
}, 120_000)

test('a row that cannot be sent says so', async () => {
  const { page } = await openPage()
  await page.route('**/rows/*', (route) => route.abort())
  await page.getByRole('button', { name: 'Replay', exact: true }).click()
  await page.locator('#service-replay dd', { hasText: 'Could not be sent' }).first().waitFor()
  await page.context().close()
}, 60_000)

test('pictures for the README and docs/demo.md', async () => {
  if (SCREENSHOTS === undefined) return expect(SCREENSHOTS).toBeUndefined()
  const folder = fileURLToPath(new URL(SCREENSHOTS, `file://${process.cwd()}/`))
  mkdirSync(folder, { recursive: true })
  const desktop = { viewport: { width: 1280, height: 820 } }
  const phone = { viewport: { width: 390, height: 844 } }
  const looks = [
    ['desktop', desktop],
    ['desktop-dark', { ...desktop, colorScheme: 'dark' }],
    ['phone', phone],
    ['phone-dark', { ...phone, colorScheme: 'dark' }],
  ] as const
  for (const [name, options] of looks) {
    const { page } = await openPage(options)
    await sendAll(page)
    await page.mouse.move(0, 0)
    if (name.startsWith('phone')) await page.locator('#service').scrollIntoViewIfNeeded()
    await page.screenshot({ path: `${folder}/${name}.png` })
    await page.context().close()
  }
  const { page } = await openPage(desktop)
  await page.getByRole('button', { name: 'Replay', exact: true }).click()
  await page.locator('#service-replay .toggle').click()
  await page.locator('#service-replay').screenshot({ path: `${folder}/details.png` })
}, 60_000)
