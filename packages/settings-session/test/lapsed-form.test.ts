import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { urlencoded } from 'express'
import type { Browser } from 'playwright-core'
import { launchChromium } from '../../../test/support/chromium.js'
import { type Harness, settingsApp } from './harness.js'

const FORM =
  '<form method="post" action="/settings/name"><input name="name"><textarea name="about"></textarea><button>Save</button></form>'

let chromium: Browser
let app: Harness
const saved: unknown[] = []
beforeAll(async () => {
  chromium = await launchChromium()
  app = await settingsApp({
    realTime: true,
    pageOfTheApp: (host) => {
      host.get('/settings/name', (_request, response) => void response.type('html').send(FORM))
      host.post('/settings/name', urlencoded({ extended: false }), (request, response) => {
        saved.push(request.body)
        response.redirect(303, '/settings')
      })
    },
  })
}, 60_000)
afterAll(async () => {
  await chromium?.close()
  await app?.close()
})

test('a person whose session lapsed in the middle of a form finds what was typed when they go back', async () => {
  const context = await chromium.newContext()
  const page = await context.newPage()
  const open = async (tab = page) => {
    await tab.goto(await app.link())
    await tab.locator('form button:not([name])').click()
    await tab.waitForURL(`${app.url}/settings`)
  }
  await open()
  const form = await page.goto(`${app.url}/settings/name`)
  expect(form?.headers()['cache-control']).toBe('no-store')
  await page.locator('input').fill('a new name')
  await page.locator('textarea').fill('a long text')
  await app.settings.revokeAll({ platform: 'telegram', userId: 'u1' })
  await page.locator('form button:not([name])').click()
  await page.getByRole('heading', { name: 'You are no longer signed in' }).waitFor()
  expect(await page.locator('main').textContent()).toContain('What you typed is still there')

  const other = await context.newPage()
  await open(other)
  await page.goBack()
  expect(await page.locator('input').inputValue()).toBe('a new name')
  expect(await page.locator('textarea').inputValue()).toBe('a long text')
  await page.locator('form button:not([name])').click()
  await page.waitForURL(`${app.url}/settings`)
  expect(saved).toEqual([{ name: 'a new name', about: 'a long text' }])
  await context.close()
}, 60_000)

test('a visit is told of no form', async () => {
  const answer = await app.browser().send('/settings/name')
  expect(answer.status).toBe(401)
  expect(await answer.text()).not.toContain('typed')
})
