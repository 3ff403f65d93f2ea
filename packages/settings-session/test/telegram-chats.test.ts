import type { SettingsTelegram, TelegramChat } from '@countersign/settings-session'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import type { TestBrowser } from './browser.js'
import { type Harness, settingsApp } from './harness.js'
import { BOT_TOKEN, type Fields, initData } from './support/init-data.js'

let app: Harness
const asked: [string, TelegramChat][] = []
const allowChat: SettingsTelegram['allowChat'] = (user, chat) => {
  asked.push([user.id, chat])
  return chat.from === 'direct_link' ? chat.instance === '1001' : chat.id === '-1001'
}
beforeAll(async () => {
  app = await settingsApp({ telegram: { botToken: BOT_TOKEN, allowChat } })
})
afterAll(() => app.close())

let ids = 100
const fields = (more: Fields = {}): Fields => ({
  user: JSON.stringify({ id: ids++, first_name: 'A' }),
  auth_date: String(Math.floor(app.clock.now() / 1000)),
  ...more,
})

function post(browser: TestBrowser, data: string, at: Harness = app) {
  return browser.send('/settings/telegram', {
    method: 'POST',
    headers: { origin: at.url, 'sec-fetch-site': 'same-origin', 'content-type': 'application/json' },
    body: JSON.stringify({ initData: data }),
  })
}

async function expectInvalid(data: string): Promise<void> {
  expect((await post(app.browser(), data)).status).toBe(401)
  expect(app.last()).toBe('telegram_invalid')
}

describe('[settings-telegram] the settings of a chat', () => {
  test.each<[string, Fields, TelegramChat]>([
    [
      'a group in the attachment menu',
      { chat: '{"id":-2002,"type":"group","title":"Us"}' },
      { from: 'attachment_menu', id: '-2002', type: 'group', title: 'Us' },
    ],
    [
      'a private chat with somebody else',
      { chat: '{"id":9,"type":"private"}' },
      { from: 'attachment_menu', id: '9', type: 'private' },
    ],
    ['a group that a link names', { start_param: 'chat_-2002' }, { from: 'start_param', id: '-2002' }],
    [
      'a group that a link names, opened in another one',
      { start_param: 'chat_-2002', chat_type: 'group', chat_instance: '1001' },
      { from: 'start_param', id: '-2002', type: 'group', instance: '1001' },
    ],
  ])('%s is refused when the app does not allow it', async (_name, more, chat) => {
    asked.length = 0
    await expectInvalid(initData(fields({ ...more, user: '{"id":7}' })))
    expect(asked).toEqual([['7', chat]])
  })

  test.each([
    ['of an odd id', { chat: '{"id":"-1001"}' }],
    ['of no id', { chat: '{}' }],
    ['of a type alone', { chat_type: 'group' }],
  ])('%s is refused', async (_name, more) => {
    await expectInvalid(initData(fields(more as Fields)))
  })

  test('is opened for users whom the app allows, as a team of its own', async () => {
    const browser = app.browser()
    const data = initData(fields({ user: '{"id":7}', chat: '{"id":-1001,"type":"supergroup"}' }))
    expect((await post(browser, data)).status).toBe(200)
    const { principal } = (await (await browser.send('/settings')).json()) as { principal: object }
    expect(principal).toMatchObject({ id: 'telegram:-1001:7', team: '-1001', userId: '7' })
  })

  test('by a direct link that names none is opened for users whom the app allows, and is their own otherwise', async () => {
    const open = async (more: Fields, at: Harness = app) => {
      const browser = at.browser()
      const data = initData(fields({ ...more, user: '{"id":7,"last_name":"B","language_code":"ar"}' }))
      expect((await post(browser, data, at)).status).toBe(200)
      return ((await (await browser.send('/settings')).json()) as { principal: { id: string } }).principal.id
    }
    asked.length = 0
    expect(await open({ chat_type: 'supergroup', chat_instance: '1001' })).toBe('telegram:instance%3A1001:7')
    expect(await open({ chat_type: 'group', chat_instance: '-77', start_param: 'hello' })).toBe('telegram:7')
    expect(asked.map(([, chat]) => chat)).toEqual([
      { from: 'direct_link', type: 'supergroup', instance: '1001' },
      { from: 'direct_link', type: 'group', instance: '-77' },
    ])
    // Without allowChat: the same person, wherever the link was.
    const own = await settingsApp({ telegram: { botToken: BOT_TOKEN } })
    for (const type of ['sender', 'private', 'group', 'supergroup', 'channel', 'a type to come']) {
      expect(await open({ chat_type: type, chat_instance: '5' }, own)).toBe('telegram:7')
    }
    await own.close()
  })

  test('that is named is refused without allowChat, though Telegram signed it', async () => {
    const own = await settingsApp({ telegram: { botToken: BOT_TOKEN } })
    for (const more of [{ chat: '{"id":-1001,"type":"group"}' }, { start_param: 'chat_-1001' }] as Fields[]) {
      expect((await post(own.browser(), initData(fields(more)), own)).status).toBe(401)
    }
    await own.close()
  })

  test("the user's own chat with the bot needs no permission", async () => {
    asked.length = 0
    for (const more of [
      { chat: '{"id":7,"type":"private"}' },
      { chat_type: 'sender', chat_instance: '5' },
    ] as Fields[]) {
      expect((await post(app.browser(), initData(fields({ ...more, user: '{"id":7}' })))).status).toBe(200)
    }
    expect(asked).toEqual([])
  })
})
