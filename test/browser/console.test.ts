import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { get, type IncomingMessage } from 'node:http'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import type { Browser, BrowserContextOptions, Page } from 'playwright-core'
import { root } from '../structure/workspace.js'
import { launchChromium } from '../support/chromium.js'

const AXE = createRequire(import.meta.url).resolve('axe-core/axe.min.js')
const SCREENSHOTS = process.env.SCREENSHOTS_DIR
/** The issuer that cannot be asked is there on purpose. */
const FLAGS = ['--expose-gc', '--disable-warning=COUNTERSIGN_DEPENDENCY_UNAVAILABLE']
const PAGES = ['/', '/old-keys', '/sessions', '/credentials', '/health']
/** Decisions during which nothing may grow. A hundred are one second. */
const WATCHED = process.env.COUNTERSIGN_TEST_LONG === '1' ? 6000 : 300
const MB = 2 ** 20
const AUTHORIZATION = `Basic ${btoa('ana:secret')}`

let folder: string
let program: ChildProcess
let origin: string
let browser: Browser

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'countersign-console-'))
  cpSync(join(root, 'docs/examples/console'), join(folder, 'console'), { recursive: true })
  symlinkSync(join(root, 'test/node_modules'), join(folder, 'node_modules'))
  const load = fileURLToPath(new URL('./console-load.mjs', import.meta.url))
  const { NODE_OPTIONS: _flags, ...env } = process.env
  program = spawn(process.execPath, [...FLAGS, load, join(folder, 'console/console.js')], {
    env,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  for await (const line of createInterface({ input: program.stdout as NodeJS.ReadableStream })) {
    origin = line
    break
  }
  browser = await launchChromium()
}, 60_000)
afterAll(async () => {
  await browser?.close()
  if (program?.exitCode === null) {
    const gone = once(program, 'exit')
    program.kill()
    await gone
  }
  rmSync(folder, { recursive: true, force: true })
})

/** What the program has counted, and its heap after a collection. */
async function measure(): Promise<{ decisions: number; changes: readonly object[]; heap: number }> {
  const response = await fetch(`${origin}/measure`)
  return (await response.json()) as { decisions: number; changes: readonly object[]; heap: number }
}

async function decisions(count: number): Promise<void> {
  const { decisions: before } = await measure()
  while ((await measure()).decisions < before + count) await new Promise((resolve) => setTimeout(resolve, 100))
}

/** A page of the console, and what is not as it should be: errors of the browser, and requests to other hosts. */
async function openPage(
  path: string,
  options: BrowserContextOptions = {},
): Promise<{ page: Page; problems: string[] }> {
  const extraHTTPHeaders = { authorization: AUTHORIZATION }
  const page = await (await browser.newContext({ extraHTTPHeaders, ...options })).newPage()
  const problems: string[] = []
  page.on('pageerror', (error) => problems.push(error.message))
  page.on('console', (message) => {
    if (message.type() === 'error') problems.push(`${message.text()} (${message.location().url})`)
  })
  page.on('request', (request) => {
    if (!request.url().startsWith(`${origin}/`)) problems.push(request.url())
  })
  await page.goto(`${origin}/console${path}`)
  return { page, problems }
}

const isLive = (page: Page) => page.locator('#state', { hasText: 'Live' }).waitFor()
const rowsOf = (page: Page) => page.locator('#feed > li')

/** What the page keeps, after a collection. */
async function sizeOf(page: Page): Promise<{ heap: number; nodes: number }> {
  const session = await page.context().newCDPSession(page)
  await session.send('HeapProfiler.collectGarbage')
  const { usedSize } = await session.send('Runtime.getHeapUsage')
  const { nodes } = await session.send('Memory.getDOMCounters')
  await session.detach()
  return { heap: usedSize, nodes }
}

test('at a hundred decisions a second the list follows, stays answering, and neither page nor process grows', async () => {
  const { page, problems } = await openPage('/')
  await isLive(page)
  // Somebody else asks for the same events, and reads none.
  const unread = get(`${origin}/console/events?after=0`, { headers: { authorization: AUTHORIZATION } })
  const [answer] = (await once(unread, 'response')) as [IncomingMessage]
  answer.pause().on('error', () => undefined)
  await decisions(200)
  const [page1, process1] = [await sizeOf(page), await measure()]
  await decisions(WATCHED)
  const [page2, process2] = [await sizeOf(page), await measure()]
  unread.destroy()
  expect(await rowsOf(page).count()).toBe(100)
  expect(page2.heap - page1.heap).toBeLessThan(3 * MB)
  expect(page2.nodes - page1.nodes).toBeLessThan(page1.nodes / 2)
  expect(process2.heap - process1.heap).toBeLessThan(12 * MB)
  const times = (await page.evaluate(
    `Array.from(document.querySelectorAll('#feed > li > time'), ({ dateTime }) => dateTime)`,
  )) as string[]
  expect(times).toEqual(times.toSorted().reverse())

  await page.evaluate(`document.querySelector('#pause').addEventListener('click', (event) => {
    document.documentElement.dataset.delay = performance.now() - event.timeStamp
  })`)
  await page.locator('#pause').focus()
  await page.keyboard.press('Enter')
  await page.locator('#state', { hasText: 'Paused' }).waitFor()
  expect(Number(await page.evaluate('document.documentElement.dataset.delay'))).toBeLessThan(1000)
  const first = await rowsOf(page).first().textContent()
  await decisions(150)
  expect(await rowsOf(page).first().textContent()).toBe(first)
  await page.keyboard.press('Enter')
  await isLive(page)
  await page.locator('#skipped', { hasText: /^\d+ more came/ }).waitFor()
  expect(await rowsOf(page).count()).toBe(100)
  expect(problems).toEqual([])
  await page.context().close()
}, 600_000)

test('a filter holds for what is there and for what comes, and what somebody reads stays where it is', async () => {
  const { page, problems } = await openPage('/')
  await page.getByLabel('Outcome').selectOption('failure')
  await page.getByLabel('Gate').selectOption('hmac')
  await page.getByLabel('Search').fill('bad_sig')
  await page.getByRole('button', { name: 'Filter' }).click()
  await isLive(page)
  const before = await rowsOf(page).first().textContent()
  while ((await rowsOf(page).first().textContent()) === before) await decisions(10)
  const texts = await rowsOf(page).allTextContents()
  expect(texts.filter((text) => !/Refused[\s\S]*bad_signature[\s\S]*hmac/.test(text))).toEqual([])
  await rowsOf(page).first().locator('summary').click()
  await page.locator('#state', { hasText: 'Paused' }).waitFor()
  expect(await rowsOf(page).first().locator('pre').textContent()).toContain('"reason": "bad_signature"')
  expect(problems).toEqual([])
  await page.context().close()
}, 60_000)

/** Opens what asks once more, and says yes, by keyboard. */
async function revoke(page: Page, name: string): Promise<void> {
  await page.locator('summary', { hasText: name }).first().focus()
  await page.keyboard.press('Enter')
  await page.keyboard.press('Tab')
  await page.keyboard.press('Enter')
}

test('one of ten thousand sessions, and all of a person, end by keyboard, in the name of the operator', async () => {
  const { page, problems } = await openPage('/sessions')
  await page.getByText('Page 1 of 200').waitFor()
  await page.getByRole('link', { name: 'Next page' }).click()
  await page.getByText('Page 2 of 200').waitFor()
  expect(await page.locator('tbody tr').count()).toBe(50)
  for (const [person, name, change] of [
    ['U04711', 'Revoke the session', {}],
    ['U04712', 'Revoke all', { all: true }],
  ] as const) {
    await page.getByLabel('Person').fill(person)
    await page.getByRole('button', { name: 'Find' }).click()
    await page.locator('tbody tr', { hasText: person }).waitFor()
    await revoke(page, name)
    await page.getByText('No open session').waitFor()
    const { changes } = await measure()
    expect(changes.at(-1)).toEqual({ type: 'settings.session.revoked', operator: 'ops:ana', ...change })
  }
  expect(problems).toEqual([])
  await page.context().close()
}, 60_000)

test('one of ten thousand credentials is found and revoked in the name of the operator, and nothing by another site', async () => {
  const { page, problems } = await openPage('/credentials')
  expect(await page.locator('tbody tr').count()).toBe(50)
  await page.getByRole('link', { name: 'Next page' }).click()
  await page.getByRole('link', { name: 'First page' }).waitFor()
  await page.getByLabel('Thread').fill('thread-815')
  await page.getByRole('button', { name: 'Find' }).click()
  await page.locator('tbody tr', { hasText: 'thread-815' }).waitFor()

  const body = await page.evaluate(`new URLSearchParams(new FormData(document.querySelector('tbody form'))).toString()`)
  const post = async (text: string, headers: Record<string, string>) => {
    const own = { authorization: AUTHORIZATION, 'content-type': 'application/x-www-form-urlencoded' }
    const init: RequestInit = { method: 'POST', body: text, headers: { ...own, ...headers }, redirect: 'manual' }
    return (await fetch(`${origin}/console/credentials/revoke`, init)).status
  }
  const before = await measure()
  expect(await post(body as string, { 'sec-fetch-site': 'cross-site' })).toBe(403)
  expect(await post(body as string, { 'sec-fetch-site': 'same-site' })).toBe(403)
  expect(await post(body as string, { origin: 'https://elsewhere.example.com' })).toBe(403)
  expect(await post((body as string).replace(/_csrf=[^&]+/, '_csrf=x'), { 'sec-fetch-site': 'same-origin' })).toBe(403)
  expect(await post((body as string).replace(/_csrf=[^&]+/, ''), { origin })).toBe(403)
  expect((await measure()).changes).toEqual(before.changes)

  await revoke(page, 'Revoke credential')
  await page.getByText('No credential of these').waitFor()
  expect((await measure()).changes.at(-1)).toEqual({ type: 'mcp.credential.revoked', operator: 'ops:ana' })
  expect(await post(body as string, { origin })).toBe(404)
  expect(problems).toEqual([])
  await page.context().close()
}, 60_000)

test('who is on the old key, an issuer without keys and the secrets are there to be seen', async () => {
  const { page } = await openPage('/old-keys')
  expect(await page.locator('tbody').textContent()).toMatch(/mailer\s*Still uses it/)
  await page.goto(`${origin}/console/health`)
  expect(await page.locator('section', { hasText: 'Issuers' }).textContent()).toMatch(/127\.0\.0\.1:9\s*No keys/)
  expect(await page.locator('section', { hasText: 'could not be asked' }).textContent()).toMatch(/keys.*In trouble/s)
  expect(await page.locator('section', { hasText: 'Secrets' }).textContent()).toMatch(/mailer\s*2\s*Pending/)
  expect(await page.locator('.bar .count').textContent()).toMatch(/^\d+ in trouble$/)
  await page.context().close()
}, 60_000)

test('axe finds nothing on any page, in light and in dark, and no page is wider than its screen', async () => {
  // Axe is a script of the test's own.
  const { page } = await openPage('/', { bypassCSP: true })
  const found: unknown[] = []
  for (const path of PAGES) {
    await page.goto(`${origin}/console${path}`)
    if (path === '/') await page.locator('#pause').click()
    const details = page.locator('details').first()
    if ((await details.count()) > 0) await details.locator('summary').click()
    await page.addScriptTag({ path: AXE })
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme })
      const violations = (await page.evaluate(
        `axe.run(document, { resultTypes: ['violations'], preload: false }).then((results) => results.violations)`,
      )) as { id: string; nodes: { html: string }[] }[]
      for (const { id, nodes } of violations) found.push([path, colorScheme, id, nodes[0]?.html])
    }
    for (const width of [1440, 1280, 1024, 960, 768, 576, 390, 360]) {
      await page.setViewportSize({ width, height: 800 })
      const isWide = await page.evaluate('document.documentElement.scrollWidth > document.documentElement.clientWidth')
      if (isWide === true) found.push([path, width, 'is wider than the screen'])
    }
    await page.setViewportSize({ width: 1280, height: 800 })
  }
  expect(found).toEqual([])
  await page.context().close()
}, 120_000)

test('pictures for docs/console.md', async () => {
  if (SCREENSHOTS === undefined) return expect(SCREENSHOTS).toBeUndefined()
  const pictures = fileURLToPath(new URL(SCREENSHOTS, `file://${process.cwd()}/`))
  mkdirSync(pictures, { recursive: true })
  const desktop = { viewport: { width: 1280, height: 820 } }
  const phone = { viewport: { width: 390, height: 844 } }
  for (const [name, path, options] of [
    ['desktop', '/', desktop],
    ['desktop-dark', '/', { ...desktop, colorScheme: 'dark' }],
    ['phone', '/', phone],
    ['phone-dark', '/', { ...phone, colorScheme: 'dark' }],
    ['credentials', '/credentials', desktop],
    ['sessions-phone', '/sessions', phone],
    ['old-keys', '/old-keys', desktop],
    ['health', '/health', desktop],
    ['health-dark', '/health', { ...desktop, colorScheme: 'dark' }],
  ] as const) {
    const { page } = await openPage(path, options)
    if (path === '/') {
      await isLive(page)
      await decisions(150)
    }
    if (name === 'credentials') await page.locator('summary').nth(2).click()
    await page.screenshot({ path: `${pictures}/${name}.png` })
    await page.context().close()
  }
}, 120_000)
