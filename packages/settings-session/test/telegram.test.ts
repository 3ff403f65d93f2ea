import { generateKeyPairSync, sign as signWith } from 'node:crypto'
import { UnavailableError } from '@countersign/core'
import { createSettingsSessions, memorySessions } from '@countersign/settings-session'
import type { SettingsStore } from '@countersign/settings-session/store'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { parseFields } from '../src/telegram/init-data.js'
import type { TestBrowser } from './browser.js'
import { type Harness, settingsApp } from './harness.js'
import { BOT_TOKEN, checkString, type Fields, hashOf, initData } from './support/init-data.js'

const DEVICE = '__Host-countersign-settings-device'
const { privateKey, publicKey } = generateKeyPairSync('ed25519')
const PUBLIC_KEY = publicKey.export({ format: 'der', type: 'spki' }).subarray(-32).toString('hex')

function signed(fields: Fields, botId = '7342037359'): string {
  const text = Buffer.from(`${botId}:WebAppData\n${checkString(fields)}`)
  return new URLSearchParams({
    ...fields,
    signature: signWith(null, text, privateKey).toString('base64url'),
  }).toString()
}

let app: Harness
let ids = 100
beforeAll(async () => {
  app = await settingsApp({ telegram: { botToken: BOT_TOKEN } })
})
afterAll(() => app.close())

const fields = (more: Fields = {}): Fields => ({
  query_id: 'AAHdF6IQAAAAAN0XohDhrOrc',
  user: JSON.stringify({ id: ids++, first_name: 'A b', username: 'a', language_code: 'en' }),
  auth_date: String(Math.floor(app.clock.now() / 1000)),
  ...more,
})

function post(browser: TestBrowser, data: unknown, headers: Record<string, string> = {}, at: Harness = app) {
  return browser.send('/settings/telegram', {
    method: 'POST',
    headers: { origin: at.url, 'sec-fetch-site': 'same-origin', 'content-type': 'application/json', ...headers },
    body: typeof data === 'string' && headers['content-type'] !== undefined ? data : JSON.stringify({ initData: data }),
  })
}

async function expectInvalid(data: unknown): Promise<void> {
  const browser = app.browser()
  expect((await post(browser, data)).status).toBe(401)
  expect(app.last()).toBe('telegram_invalid')
  expect(browser.cookies.size).toBe(0)
}

test('what Telegram signed opens a session for the user that it names', async () => {
  const browser = app.browser()
  const answer = await post(browser, initData(fields({ user: '{"id":42,"first_name":"A"}' })))
  expect([answer.status, await answer.json()]).toEqual([200, { goTo: '/settings' }])
  const { principal } = (await (await browser.send('/settings')).json()) as { principal: object }
  expect(principal).toMatchObject({ id: 'telegram:42', platform: 'telegram', userId: '42' })
})

describe('[settings-telegram] data that is', () => {
  test('changed in any one character is refused', async () => {
    const good = initData(fields())
    for (let index = 0; index < good.length; index += 1) {
      const flipped = String.fromCharCode(good.charCodeAt(index) ^ 1)
      const changed = good.slice(0, index) + flipped + good.slice(index + 1)
      expect(`${index} ${(await post(app.browser(), changed)).status}`).toBe(`${index} 401`)
    }
    expect((await post(app.browser(), good)).status).toBe(200)
  }, 60_000)

  test('merged by a newline, with the same signature, is refused', async () => {
    const whole = fields()
    const hash = hashOf(checkString(whole))
    // The same string to sign: auth_date now holds the next field's name and value.
    const merged = new URLSearchParams({
      auth_date: `${whole.auth_date}\nquery_id=${whole.query_id}`,
      user: whole.user as string,
      hash,
    })
    await expectInvalid(merged.toString())
  })

  test.each([
    ['with a field twice', (data: string) => `${data}&auth_date=1`],
    ['with the hash twice', (data: string) => `${data}&hash=${'0'.repeat(64)}`],
    ['with the user before it twice', (data: string) => `user=%7B%22id%22%3A1%7D&${data}`],
    ['with an unsigned field', (data: string) => `${data}&chat=%7B%22id%22%3A1%7D`],
    ['with an empty part', (data: string) => `${data}&`],
    ['with a part without a name', (data: string) => `${data}&=x`],
    ['with a NUL', (data: string) => `${data}&a=%00`],
    ['with broken encoding', (data: string) => `${data}&a=%E0%A4%A`],
    ['longer than 8 KiB', (data: string) => `${data}&a=${'x'.repeat(8192)}`],
    [
      'with the hash in capitals',
      (data: string) => data.replace(/hash=([0-9a-f]+)/, (_all, hash: string) => `hash=${hash.toUpperCase()}`),
    ],
    ['without the hash', (data: string) => data.replace(/&hash=[0-9a-f]+/, '')],
    ['nothing', () => ''],
  ])('%s is refused', async (_name, change) => {
    await expectInvalid(change(initData(fields())))
  })

  test.each([
    ['a number', 1],
    ['a list', ['x']],
    ['an object', {}],
    ['null', null],
  ])('%s is refused', async (_name, data) => {
    await expectInvalid(data)
  })

  test.each([
    ['signed for another bot', () => initData(fields(), '1:AAHI25ES9xCOMPokpYoz-p8XVrZUdygo2J4')],
    ['too old', () => initData(fields({ auth_date: String(Math.floor(app.clock.now() / 1000) - 86_401) }))],
    ['from the future', () => initData(fields({ auth_date: String(Math.floor(app.clock.now() / 1000) + 61) }))],
    ['without a date', () => initData({ user: '{"id":1}' })],
    ['with an odd date', () => initData(fields({ auth_date: '1e9' }))],
    ['without a user', () => initData({ auth_date: String(Math.floor(app.clock.now() / 1000)) })],
    ['of a bot', () => initData(fields({ user: '{"id":1,"is_bot":true}' }))],
    ['of a user without a safe id', () => initData(fields({ user: '{"id":9007199254740993}' }))],
    ['of a user whose id is text', () => initData(fields({ user: '{"id":"1"}' }))],
    ['of a user that is a list', () => initData(fields({ user: '[ 1 ]' }))],
    ['of a negative user', () => initData(fields({ user: '{"id":-5}' }))],
  ])('%s is refused', async (_name, data) => {
    await expectInvalid(data())
  })

  test('signed a day ago or a minute ahead is accepted', async () => {
    const seconds = Math.floor(app.clock.now() / 1000)
    for (const date of [seconds - 86_400, seconds + 60]) {
      expect((await post(app.browser(), initData(fields({ auth_date: String(date) })))).status).toBe(200)
    }
  })
})

test('[settings-telegram] data that is used again is accepted in the browser that used it first, and refused elsewhere', async () => {
  const data = initData(fields())
  const browser = app.browser()
  expect((await post(browser, data)).status).toBe(200)
  expect(browser.cookies.get(DEVICE)).toMatch(/^d1\./)
  expect((await post(browser, data)).status).toBe(200)
  const thief = app.browser()
  expect((await post(thief, data)).status).toBe(401)
  expect(app.last()).toBe('replayed')
  // In another order, and encoded otherwise, it is the same.
  const again = data.split('&').reverse().join('&').replaceAll('+', '%20')
  expect((await post(thief, again)).status).toBe(401)
  expect(app.last()).toBe('replayed')
  thief.cookies.set(DEVICE, `d1.0${'A'.repeat(16)}.${'A'.repeat(43)}`)
  expect((await post(thief, data)).status).toBe(401)
})

test('[settings-outage] data that was used up when the store failed is accepted again in the browser that sent it', async () => {
  const store = memorySessions()
  let isDown = true
  const failing: SettingsStore = {
    ...store,
    openSession: (session) => {
      if (isDown) throw new UnavailableError('session_store', 'down')
      return store.openSession(session)
    },
  }
  const flaky = await settingsApp({ store: failing, telegram: { botToken: BOT_TOKEN }, realTime: true })
  const date = { auth_date: String(Math.floor(Date.now() / 1000)) }
  const browser = flaky.browser()
  const data = initData(fields(date))
  expect((await post(browser, data, {}, flaky)).status).toBe(503)
  expect([...browser.cookies.keys()]).toEqual([DEVICE])
  isDown = false
  expect((await post(browser, data, {}, flaky)).status).toBe(200)
  expect((await post(flaky.browser(), data, {}, flaky)).status).toBe(401)
  await flaky.close()
})

test('a lost answer does not lock the person out: the browser is known from the page on', async () => {
  const browser = app.browser()
  await browser.send('/settings/telegram')
  const data = initData(fields())
  const known = new Map(browser.cookies)
  expect((await post(browser, data)).status).toBe(200)
  // What the answer set never came.
  browser.cookies.clear()
  for (const [name, value] of known) browser.cookies.set(name, value)
  expect((await post(browser, data)).status).toBe(200)
})

test('[settings-csrf] the data is accepted from our own page alone, as JSON', async () => {
  const data = initData(fields())
  const body = JSON.stringify({ initData: data })
  for (const type of ['text/plain', 'application/x-www-form-urlencoded']) {
    expect((await post(app.browser(), body, { 'content-type': type })).status).toBe(415)
    expect(app.last()).toBe('unsupported_body')
  }
  for (const headers of [
    { 'content-type': 'text/plain', 'sec-fetch-site': 'cross-site' },
    { 'content-type': 'application/json', 'sec-fetch-site': 'cross-site', origin: 'https://evil.example.com' },
    { 'content-type': 'application/json', 'sec-fetch-site': 'same-site' },
    { 'content-type': 'application/json', 'sec-fetch-site': 'none', origin: 'null' },
  ] as Record<string, string>[]) {
    expect((await post(app.browser(), body, headers)).status).toBe(403)
    expect(app.last()).toBe('cross_site')
  }
  expect((await post(app.browser(), '{"initData":', { 'content-type': 'application/json' })).status).toBe(401)
  expect((await post(app.browser(), 'x'.repeat(20_000), { 'content-type': 'application/json' })).status).toBe(401)
  expect((await post(app.browser(), body, { 'content-type': 'application/json' })).status).toBe(200)
})

describe('[settings-telegram] without the bot token', () => {
  let thirdParty: Harness
  beforeAll(async () => {
    thirdParty = await settingsApp({ telegram: { botId: '7342037359', publicKey: PUBLIC_KEY } })
  })
  afterAll(() => thirdParty.close())

  test("Telegram's own signature opens a session, for our bot only, and no other does", async () => {
    const whole = fields()
    const send = (data: string) => post(thirdParty.browser(), data, {}, thirdParty)
    expect((await send(signed(whole))).status).toBe(200)
    expect((await send(signed(whole, '1'))).status).toBe(401)
    expect((await send(initData(whole))).status).toBe(401)
    const good = signed(fields())
    const at = good.indexOf('signature=') + 15
    const changed = good.slice(0, at) + (good[at] === 'A' ? 'B' : 'A') + good.slice(at + 1)
    expect((await send(changed)).status).toBe(401)
    expect((await send(`${good}&hash=${'0'.repeat(64)}`)).status).toBe(200)
  })
})

test('the stable link has no secret, and its page posts what the fragment holds', async () => {
  const page = await app.browser().send('/settings/telegram')
  expect(page.status).toBe(200)
  const text = await page.text()
  expect(text).toContain('data-action="/settings/telegram"')
  expect(text).toContain('<noscript>')
  expect(text).not.toMatch(/src=/)
})

test('parsing never throws, and loses nothing of what it accepts', () => {
  fc.assert(
    fc.property(fc.string({ maxLength: 300 }), (text) => {
      const parsed = parseFields(text)
      if (parsed !== undefined) expect(new URLSearchParams([...parsed]).size).toBe(text.split('&').length)
    }),
    { numRuns: 5000 },
  )
  fc.assert(
    fc.property(
      fc.dictionary(fc.stringMatching(/^[a-z][a-z0-9_]{0,9}$/), fc.stringMatching(/^[ -~é]{0,20}$/)),
      (given) => {
        const text = new URLSearchParams(given).toString()
        if (text !== '') expect(Object.fromEntries(parseFields(text) ?? [])).toEqual({ ...given })
      },
    ),
    { numRuns: 2000 },
  )
})

test('a wrong Telegram option throws at creation, and shows no token', () => {
  const make = (telegram: object) => () => createSettingsSessions({ baseUrl: 'https://a.example.com/s', telegram })
  expect(make({})).toThrow('telegram.botToken')
  expect(make({ botToken: BOT_TOKEN, botId: '1' })).toThrow('telegram.botToken')
  expect(make({ botToken: 'secret-thing' })).toThrow(/telegram\.botToken.*another value/)
  expect(make({ botId: 'x' })).toThrow('telegram.botId')
  expect(make({ botTokn: BOT_TOKEN })).toThrow('Did you mean "botToken"')
})

test("an event of Telegram's data that is too old, from the future or not Telegram's says which part, and by how much", async () => {
  const seconds = Math.floor(app.clock.now() / 1000)
  const rows: [string, Record<string, unknown>][] = [
    [initData(fields({ auth_date: String(seconds - 86_500) })), { part: 'auth_date', late_by_seconds: 100 }],
    [
      initData(fields({ auth_date: String(seconds + 90) })),
      { part: 'auth_date', early_by_seconds: 90, tolerance_seconds: 60 },
    ],
    [initData(fields(), '1:AAHI25ES9xCOMPokpYoz-p8XVrZUdygo2J4'), { part: 'signature' }],
    ['no fields at all', { part: 'fields' }],
    [initData(fields({ user: '[]' })), { part: 'user' }],
  ]
  for (const [data, attributes] of rows) {
    expect((await post(app.browser(), data)).status).toBe(401)
    expect(app.events.at(-1)).toMatchObject({ reason: 'telegram_invalid', attributes })
  }
})
