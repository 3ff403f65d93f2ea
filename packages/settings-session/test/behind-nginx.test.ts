import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import type { Browser } from 'playwright-core'
import { launchChromium } from '../../../test/support/chromium.js'
import { NginxServer } from '../../../test/support/nginx-server.js'
import { freePort } from '../../../test/support/redis-server.js'
import { TEST_CERTIFICATE, TEST_KEY } from '../../../test/support/test-certificate.js'
import { type Harness, settingsApp } from './harness.js'
import { type RunningProvider, startProvider } from './support/provider.js'

let chromium: Browser
let provider: RunningProvider
let app: Harness
let nginx: NginxServer
let outside: string
const folder = mkdtempSync(join(tmpdir(), 'settings-nginx-'))

/** TLS ends at nginx, which takes `/app` off the path and gives the app a Host of its own. */
beforeAll(async () => {
  ;[chromium, provider] = await Promise.all([launchChromium(), startProvider()])
  const port = await freePort()
  outside = `https://localhost:${port}/app/settings`
  const signOut = `<form method="post" action="${outside}/logout"><button>Sign out</button></form>`
  app = await settingsApp({
    baseUrl: outside,
    oauth: provider.oauth,
    firstClaim: 'trust-link',
    returning: 'sign-in',
    sameSite: 'strict',
    realTime: true,
    pageOfTheApp: (host) =>
      host.get('/settings', (request, response) => {
        response.send(`<p id="user">${request.principal?.id}</p><p id="host">${request.headers.host}</p>${signOut}`)
      }),
  })
  writeFileSync(join(folder, 'cert'), TEST_CERTIFICATE)
  writeFileSync(join(folder, 'key'), TEST_KEY, { mode: 0o600 })
  nginx = await NginxServer.start(`
    listen 127.0.0.1:${port} ssl;
    ssl_certificate ${join(folder, 'cert')};
    ssl_certificate_key ${join(folder, 'key')};
    location /app/ {
      proxy_pass http://127.0.0.1:${app.port}/;
      proxy_set_header Host internal.example.net;
    }
  `)
}, 90_000)
afterAll(async () => {
  await chromium?.close()
  await Promise.all([app?.close(), nginx?.stop(), provider?.app.stop()])
  rmSync(folder, { recursive: true, force: true })
})

test('[settings-chromium] behind nginx, which ends TLS and changes Host and path, a person opens a link, signs out and comes back', async () => {
  const context = await chromium.newContext({ ignoreHTTPSErrors: true })
  const page = await context.newPage()
  await page.goto(await app.link({ userId: 'proxied' }))
  expect(page.url()).toBe(`${outside}/open`)
  await page.locator('form button:not([name])').click()
  await page.locator('input[name=login]').fill('proxied-account')
  await page.locator('input[name=password]').fill('any')
  await page.locator('button[type=submit]').click()
  await page.locator('input[name=prompt][value=consent]').waitFor({ state: 'attached' })
  await page.locator('button[type=submit]').click()
  await page.waitForURL(outside)
  const user = page.locator('#user')
  expect([await user.textContent(), await page.locator('#host').textContent()]).toEqual([
    'telegram:proxied',
    'internal.example.net',
  ])
  const [session] = (await context.cookies()).filter(({ name }) => name === '__Host-countersign-settings')
  expect(session).toMatchObject({ domain: 'localhost', path: '/', secure: true, httpOnly: true, sameSite: 'Strict' })
  await page.getByRole('button', { name: 'Sign out' }).click()
  await page.getByRole('heading', { name: 'You are signed out' }).waitFor()
  expect(page.url()).toBe(`${outside}/logout`)
  await page.goto(outside)
  await page.getByRole('link', { name: 'Sign in with Example ID' }).click()
  await page.waitForURL(outside)
  expect(await user.textContent()).toBe('telegram:proxied')
  await context.close()
}, 90_000)
