import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { type Browser, type BrowserContext, chromium } from 'playwright-core'

const PLACES = [
  process.env.CHROMIUM,
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
]

const ARGS = [
  '--no-sandbox',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--no-first-run',
]

/** Headless Chromium from the system, asking nothing of any network. */
export async function launchChromium(): Promise<Browser> {
  return chromium.launch({ executablePath: executable(), args: ARGS })
}

/**
 * A Chromium as it comes: with the back/forward cache that Playwright switches off, and preferences of the person, as Chromium
 * writes them.
 */
export async function launchPersonalChromium(folder: string, preferences: object = {}): Promise<BrowserContext> {
  mkdirSync(`${folder}/Default`, { recursive: true })
  writeFileSync(`${folder}/Default/Preferences`, JSON.stringify(preferences))
  return chromium.launchPersistentContext(folder, {
    executablePath: executable(),
    args: ARGS,
    ignoreDefaultArgs: ['--disable-back-forward-cache'],
  })
}

function executable(): string {
  const found = PLACES.find((place) => place !== undefined && existsSync(place))
  if (found === undefined) throw new Error('Chromium is not installed: run npm test, or set CHROMIUM')
  return found
}
