import type { NotMe } from '@countersign/settings-session'
import { afterEach, expect, test } from '@jest/globals'
import { type Harness, settingsApp } from './harness.js'
import { startHostileProvider } from './support/hostile-provider.js'
import { until } from './support/until.js'

let app: Harness | undefined
afterEach(async () => app?.close())

const textOf = async (answer: Response) => (await answer.text()).replace(/<style[\s\S]*<\/style>/, '')

test('the page names who, from which chat, what, what for, and how long; what was named stands apart from the direction of the text', async () => {
  app = await settingsApp()
  const display = { account: 'ليلى', app: 'Calendar <b>', purpose: 'Plan your week', chat: 'Acme & Co' }
  const link = await app.link({ platform: 'msteams', userId: 'u-17', display })
  app.clock.advance(61_000)
  const text = await textOf(await app.browser().open(link))
  expect(text).toContain('You followed a link from <bdi>Microsoft Teams</bdi>. Is this you?')
  expect(text).toContain('<dt>Account</dt><dd><bdi>ليلى</bdi> on <bdi>Microsoft Teams</bdi></dd>')
  expect(text).toContain('<dt>From</dt><dd><bdi>Acme &amp; Co</bdi></dd>')
  expect(text).toContain('<dt>Connects</dt><dd><bdi>Calendar &lt;b&gt;</bdi></dd>')
  expect(text).toContain('<dt>What for</dt><dd><bdi>Plan your week</bdi></dd>')
  expect(text).toContain('>8 minutes</time>')
})

test('the page says whose session it replaces, and does not when that is the same user', async () => {
  app = await settingsApp()
  const browser = app.browser()
  await browser.confirm(await app.link({ platform: 'slack', userId: 'first-user' }))
  const other = await textOf(await browser.open(await app.link({ platform: 'slack', userId: 'second' })))
  expect(other).toContain('This browser is signed in for <bdi>f•••r</bdi> on <bdi>Slack</bdi>.')
  const same = await textOf(await browser.open(await app.link({ platform: 'slack', userId: 'first-user' })))
  expect(same).not.toContain('This browser is signed in')
  const account = { userId: 'named', display: { account: 'Ada' } }
  await browser.confirm(await app.link(account))
  const third = await textOf(await browser.open(await app.link({ userId: 'third' })))
  expect(third).toContain('This browser is signed in for <bdi>Ada</bdi> on <bdi>Telegram</bdi>.')
})

test.each([
  ['sign-in', true],
  ['link', false],
] as const)(
  "with returning: '%s' it says whose settings a sign-in opens afterwards, before it connects: %s",
  async (returning, says) => {
    const provider = await startHostileProvider()
    app = await settingsApp({ oauth: provider.oauth, firstClaim: 'trust-link', returning, realTime: true })
    try {
      const warning = 'each sign-in here with that account opens the settings of this user'
      expect((await textOf(await app.browser().open(await app.link()))).includes(warning)).toBe(says)
      await app.settings.rebind({ platform: 'telegram', userId: 'other' }, { issuer: provider.url, subject: 'alice' })
      const browser = app.browser()
      await browser.confirm(await app.link())
      const begun = await browser.send('/settings/oauth/start')
      const taken = await textOf(await browser.send(provider.answerTo(begun.headers.get('location') as string)))
      expect([taken.includes('It was not me'), taken.includes(warning)]).toEqual([true, says])
      await app.settings.rebind({ platform: 'telegram', userId: 'u1' }, { issuer: provider.url, subject: 'bob' })
      expect(await textOf(await app.browser().open(await app.link()))).not.toContain(warning)
    } finally {
      await provider.close()
    }
  },
)

test('before the first sign-in the page warns that the account will be connected to that user, and after it no more', async () => {
  const provider = await startHostileProvider()
  app = await settingsApp({ oauth: provider.oauth, firstClaim: 'trust-link', realTime: true })
  try {
    const warning = 'will be connected to the user above'
    expect(await textOf(await app.browser().open(await app.link()))).toContain(warning)
    await app.settings.rebind({ platform: 'telegram', userId: 'u1' }, { issuer: provider.url, subject: 'alice' })
    expect(await textOf(await app.browser().open(await app.link()))).not.toContain(warning)
  } finally {
    await provider.close()
  }
})

test('"Not me" voids the link, ends what waits, and tells the app; what the app throws is an event', async () => {
  const told: NotMe[] = []
  app = await settingsApp({
    onNotMe: (notMe) => {
      told.push(notMe)
      throw new Error('the chat is down')
    },
  })
  const { events, settings } = app
  const link = await app.link({ userId: 'u9', agentId: 'planner' })
  const person = app.browser()
  const { action, fields } = await person.form(await person.open(link))
  const elsewhere = app.browser()
  const form = await elsewhere.form(await elsewhere.open(link))
  const answer = await person.post(action, { ...fields, notMe: '1' })
  expect([answer.status, (await answer.text()).includes('the link is void')]).toEqual([200, true])
  expect((await elsewhere.post(form.action, form.fields)).status).toBe(401)
  expect((await app.browser().open(link)).status).toBe(401)
  expect(await settings.list({ platform: 'telegram', userId: 'u9' })).toEqual([])
  expect((await person.post(action, { ...fields, notMe: '1' })).status).toBe(401)
  const revoked = () => events.filter(({ type }) => type === 'settings.link.revoked')
  await until(
    () => revoked().length,
    (count) => count === 2,
  )
  expect(told).toEqual([
    { user: { platform: 'telegram', userId: 'u9' }, linkId: expect.any(String), agentId: 'planner' },
  ])
  expect(revoked()).toMatchObject([
    { attributes: { cause: 'not_me' }, principal: { id: 'telegram:u9' }, outcome: 'success' },
    { outcome: 'error', reason: 'warning_failed' },
  ])
})

test('"Not me" from another site, or without the token of the form, is refused', async () => {
  app = await settingsApp()
  const link = await app.link()
  const person = app.browser()
  const { action, fields } = await person.form(await person.open(link))
  expect((await person.post(action, { notMe: '1' })).status).toBe(403)
  const headers = { 'sec-fetch-site': 'cross-site', origin: 'https://evil.example.com' }
  expect((await person.post(action, { ...fields, notMe: '1' }, headers)).status).toBe(403)
  expect((await person.post(action, fields)).status).toBe(303)
})

test.each([
  ['userId', { userId: 'a\nb' }],
  ['userId', { userId: 'a\u202eb' }],
  ['platform', { platform: 'sl\u0000ack' }],
  ['agentId', { agentId: 'x\u2028' }],
  ['display.account', { display: { account: 'a\u2066b' } }],
  ['display.chat', { display: { chat: 'a\u0007' } }],
  ['display.purpose', { display: { purpose: 'x'.repeat(101) } }],
  ['colour', { display: { colour: 'red' } }],
] as const)('%s with control characters, or too long, or unknown, is refused', async (option, request) => {
  app = await settingsApp()
  const asked = { platform: 'slack', userId: 'u', ...request } as never
  await expect(app.settings.issueLink(asked)).rejects.toMatchObject({ name: 'OptionError', option })
})
