import { afterEach, expect, test } from '@jest/globals'
import { type Harness, settingsApp } from './harness.js'
import { startHostileProvider } from './support/hostile-provider.js'
import { BOT_TOKEN, signedData } from './support/signed-data.js'

let app: Harness
afterEach(() => app.close())

const post = (browser: ReturnType<Harness['browser']>, initData: string) =>
  browser.send('/settings/telegram', {
    method: 'POST',
    headers: { origin: app.url, 'sec-fetch-site': 'same-origin', 'content-type': 'application/json' },
    body: JSON.stringify({ initData }),
  })

test('[settings-attempts] a link that is opened in one browser after another is refused after twenty, and says when it may be tried again', async () => {
  // Nobody gets as far as to the provider.
  const oauth = { issuer: 'http://127.0.0.1:9', clientId: 'settings', clientSecret: 'a-secret-of-the-tests' }
  app = await settingsApp({ oauth, firstClaim: 'trust-link' })
  const link = await app.link()
  const statuses: number[] = []
  for (let count = 0; count < 20; count += 1) statuses.push((await app.browser().confirm(link)).status)
  expect(new Set(statuses)).toEqual(new Set([200]))
  app.clock.advance(1000)
  const late = app.browser()
  const refused = await late.confirm(link)
  expect([refused.status, refused.headers.get('retry-after'), app.last()]).toEqual([429, '599', 'too_many_attempts'])
  expect(app.events.at(-1)).toMatchObject({ type: 'settings.link.refused', attributes: { cause: 'link' } })
  expect(await refused.text()).toContain('Too many attempts')
  // Another link of the same user opens.
  expect((await app.browser().confirm(await app.link())).status).toBe(200)
})

test('[settings-attempts] one user is refused after sixty openings, for ten minutes; others are not', async () => {
  app = await settingsApp({ telegram: { botToken: BOT_TOKEN }, realTime: true })
  for (let count = 0; count < 60; count += 1) {
    expect((await post(app.browser(), signedData(1, `q${count}`))).status).toBe(200)
  }
  const answer = await post(app.browser(), signedData(1, 'one more'))
  expect([answer.status, app.last()]).toEqual([429, 'too_many_attempts'])
  expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0)
  expect((await post(app.browser(), signedData(2, 'q'))).status).toBe(200)
})

test('[settings-attempts] one device is refused after 120 openings, whosever they are; another device is not', async () => {
  app = await settingsApp({ telegram: { botToken: BOT_TOKEN }, realTime: true })
  const browser = app.browser()
  for (let user = 1; user <= 120; user += 1) expect((await post(browser, signedData(user, 'q'))).status).toBe(200)
  expect((await post(browser, signedData(121, 'q'))).status).toBe(429)
  expect(app.events.at(-1)).toMatchObject({ reason: 'too_many_attempts', attributes: { cause: 'device' } })
  expect((await post(app.browser(), signedData(121, 'r'))).status).toBe(200)
})

test("Telegram's data opens one session in one browser, with its cookie and without; another one when that has ended", async () => {
  app = await settingsApp({ telegram: { botToken: BOT_TOKEN }, realTime: true })
  const user = { platform: 'telegram', userId: '1' }
  const data = signedData(1, 'q')
  const browser = app.browser()
  expect((await post(browser, data)).status).toBe(200)
  const [first] = await app.settings.list(user)
  expect((await post(browser, data)).status).toBe(200)
  browser.cookies.delete('__Host-countersign-settings')
  expect((await post(browser, data)).status).toBe(200)
  expect((await browser.send('/settings')).status).toBe(200)
  expect((await app.settings.list(user)).map(({ id }) => id)).toEqual([first?.id])
  const opened = app.events.filter(({ type }) => type === 'settings.session.opened')
  expect(opened.map(({ attributes }) => attributes?.repeated)).toEqual([undefined, true])
  expect((await browser.post('/settings/logout')).status).toBe(200)
  expect((await post(browser, data)).status).toBe(200)
  expect((await browser.send('/settings')).status).toBe(200)
  expect((await app.settings.list(user)).map(({ id }) => id)).not.toEqual([first?.id])
})

test('[settings-attempts] a user is asked in the chat five times about one link at most', async () => {
  const provider = await startHostileProvider()
  const asked: string[] = []
  app = await settingsApp({
    oauth: provider.oauth,
    realTime: true,
    onFirstClaim: ({ identity }) => {
      asked.push(identity.subject)
      return undefined
    },
  })
  try {
    const link = await app.link()
    const statuses: number[] = []
    for (let count = 0; count < 6; count += 1) {
      provider.claims = { sub: `stranger${count}` }
      const browser = app.browser()
      await browser.confirm(link)
      const start = await browser.send('/settings/oauth/start')
      const back = await browser.send(provider.answerTo(start.headers.get('location') as string))
      statuses.push(back.status)
    }
    expect(statuses).toEqual([303, 303, 303, 303, 303, 429])
    expect(asked).toHaveLength(5)
    expect(app.events.at(-1)).toMatchObject({ reason: 'too_many_attempts', attributes: { cause: 'sign_in_prompts' } })
  } finally {
    await provider.close()
  }
})

test('who comes back by signing in has as many openings as their links have', async () => {
  const provider = await startHostileProvider()
  app = await settingsApp({ oauth: provider.oauth, firstClaim: 'deny', returning: 'sign-in', realTime: true })
  const comeBack = async () => {
    const browser = app.browser()
    const start = await browser.send('/settings/oauth/start')
    return browser.send(provider.answerTo(start.headers.get('location') as string))
  }
  try {
    const user = { platform: 'telegram', userId: '1' }
    await app.settings.rebind(user, { issuer: provider.url, subject: 'alice' })
    const statuses: number[] = []
    for (let count = 0; count < 60; count += 1) statuses.push((await comeBack()).status)
    expect(new Set(statuses)).toEqual(new Set([303]))
    const refused = await comeBack()
    expect([refused.status, app.last()]).toEqual([429, 'too_many_attempts'])
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0)
    expect(app.events.at(-1)).toMatchObject({ principal: { id: 'telegram:1' }, attributes: { cause: 'user' } })
  } finally {
    await provider.close()
  }
})
