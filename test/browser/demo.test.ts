import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import type { Browser } from 'playwright-core'
import { launchChromium } from '../support/chromium.js'

let demo: ChildProcess
let baseUrl: string
let browser: Browser

beforeAll(async () => {
  const main = fileURLToPath(new URL('../../packages/demo/dist/main.js', import.meta.url))
  const { REDIS_URL: _unused, NODE_OPTIONS: _flags, ...env } = process.env
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

test('the live view shows the decisions, and a settings link from its chat opens the settings once', async () => {
  const page = await browser.newPage()
  const problems: string[] = []
  page.on('pageerror', (error) => problems.push(error.message))
  page.on('console', (message) => {
    if (message.type() === 'error') problems.push(`${message.text()} (${message.location().url})`)
  })
  await page.goto(baseUrl)
  await page.locator('#events tr').first().waitFor()
  expect(await page.locator('#events').textContent()).toContain('ambiguous')

  await page.getByRole('button', { name: 'Issue a settings link' }).click()
  const link = page.getByRole('link', { name: 'Open your settings' })
  await link.waitFor()
  expect(await page.locator('#chat').textContent()).toContain('"type":"settings_link"')

  const [settings] = await Promise.all([page.context().waitForEvent('page'), link.click()])
  await settings.locator('form button:not([name])').click()
  await settings.getByRole('heading', { name: 'Settings' }).waitFor()
  expect(await settings.locator('body').textContent()).toContain('you on demo')
  await page.locator('#events tr', { hasText: 'settings-session' }).first().waitFor()
  expect(problems).toEqual([])

  const other = await (await browser.newContext()).newPage()
  const answer = await other.goto((await link.getAttribute('href')) as string)
  expect(answer?.status()).not.toBe(200)
}, 60_000)
