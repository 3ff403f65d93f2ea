import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import express from 'express'
import type { Browser, Page } from 'playwright-core'
import { cleanEnvironment } from '../consumers/tarballs.js'
import { readPackages, root } from '../structure/workspace.js'
import { launchChromium } from '../support/chromium.js'
import { type RunningServer, serve } from '../support/http-server.js'

const docs = join(root, 'docs')
const site = join(docs, '.vitepress/dist')
const AXE = createRequire(import.meta.url).resolve('axe-core/axe.min.js')

function build(...words: string[]): void {
  const done = spawnSync(process.execPath, words, { cwd: docs, encoding: 'utf8', env: cleanEnvironment() })
  if (done.status !== 0) throw new Error(`${words.join(' ')}: ${done.stdout}${done.stderr}`)
}

let server: RunningServer
let chromium: Browser
beforeAll(async () => {
  build('reference.mjs')
  build('node_modules/vitepress/bin/vitepress.js', 'build', '.')
  const app = express()
  // As GitHub Pages does.
  app.use(express.static(site, { extensions: ['html'] }))
  server = await serve(app)
  chromium = await launchChromium()
}, 400_000)
afterAll(async () => {
  await chromium?.close()
  await server?.close()
})

const htmlBelow = (folder: string): string[] =>
  readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) return htmlBelow(path)
    return entry.name.endsWith('.html') ? [path] : []
  })

/** Where a link of a page leads on the site: the file of that page. */
function fileOf(pathname: string): string | undefined {
  const path = join(site, decodeURIComponent(pathname))
  return [path, `${path}.html`, join(path, 'index.html')].find((each) => existsSync(each) && !each.endsWith('/'))
}

test('every link of every page leads to a page, and to a heading of it', () => {
  const texts = new Map(htmlBelow(site).map((path) => [path, readFileSync(path, 'utf8')]))
  expect(texts.size).toBeGreaterThan(150)
  const broken: string[] = []
  for (const [path, html] of texts) {
    const here = `/${path.slice(site.length + 1).replace(/\.html$/, '')}`
    for (const [, href = ''] of html.matchAll(/<a [^>]*?href="([^"]+)"/g)) {
      if (/^(https?|mailto):/.test(href)) continue
      const { pathname, hash } = new URL(href.replaceAll('&amp;', '&'), `http://site${here}`)
      const file = fileOf(pathname)
      const target = file === undefined ? undefined : texts.get(file)
      const id = decodeURIComponent(hash.slice(1))
      if (target === undefined && !(file !== undefined && !file.endsWith('.html'))) broken.push(`${here}: ${href}`)
      else if (id !== '' && target !== undefined && !target.includes(`id="${id}"`)) broken.push(`${here}: ${href}`)
    }
  }
  expect(broken).toEqual([])
})

test('every entry of every published package has its page, and llms.txt names the guides', () => {
  const entries = readPackages()
    .filter(({ manifest }) => manifest.private !== true)
    .flatMap(({ folder, manifest }) =>
      Object.keys(manifest.exports ?? {}).map((path) => folder + path.slice(1).replace('/', '.')),
    )
  expect(entries.filter((entry) => !existsSync(join(site, 'reference', `${entry}.html`)))).toEqual([])
  const text = readFileSync(join(site, 'llms.txt'), 'utf8')
  expect(text).toMatch(/^# Countersign\n\n> /)
  expect(text).toMatch(/^- \[Signed requests between services\]\(https:\S+\/guides\/hmac\): `requireHmac` /m)
})

const LOOKS = [
  ['a desktop, light', { width: 1280, height: 800 }, 'light'],
  ['a phone, dark', { width: 390, height: 844 }, 'dark'],
] as const
const SHOWN = ['', 'contents', 'guides/hmac', 'errors/', 'reference/hmac', 'performance', 'security/promises']

async function violationsOf(page: Page): Promise<unknown[]> {
  await page.addScriptTag({ path: AXE })
  return page.evaluate(async () => {
    const { axe } = globalThis as unknown as {
      axe: { run(options: object): Promise<{ violations: { id: string; nodes: { html: string }[] }[] }> }
    }
    const { violations } = await axe.run({ runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'] })
    return violations.map(({ id, nodes }) => [id, ...nodes.slice(0, 3).map(({ html }) => html.slice(0, 160))])
  })
}

describe.each(LOOKS)('on %s', (_look, viewport, colorScheme) => {
  test.each(SHOWN)(
    '/%s is readable, accessible and no wider than the window',
    async (path) => {
      const page = await chromium.newPage({ viewport, colorScheme })
      const errors: string[] = []
      page.on('pageerror', (error) => errors.push(String(error)))
      await page.goto(`${server.url}/${path}`, { waitUntil: 'load' })
      await page.waitForFunction(() => document.querySelector('.VPContent') !== null)
      expect(await violationsOf(page)).toEqual([])
      const overflow = await page.evaluate(
        () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
      )
      expect([errors, overflow]).toEqual([[], 0])
      await page.close()
    },
    60_000,
  )
})

test('the search finds a page by its words', async () => {
  const page = await chromium.newPage({ viewport: { width: 1280, height: 800 } })
  await page.goto(server.url, { waitUntil: 'networkidle' })
  await page.click('.DocSearch-Button')
  await page.fill('#localsearch-input', 'COUNTERSIGN_REDIS_NO_AOF')
  await page.waitForSelector('.VPLocalSearchBox .result[href*="COUNTERSIGN_REDIS_NO_AOF"]')
  await page.close()
}, 60_000)
