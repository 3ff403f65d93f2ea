import { createHmac } from 'node:crypto'
import { expect } from '@jest/globals'
import { TestBrowser } from '../../packages/settings-session/test/browser.js'
import { type Running, until } from './program.js'

/** A variable among the exports of a README. */
const variableOf = (exported: string, name: string) => new RegExp(`\\b${name}=(\\S+)`).exec(exported)?.[1] ?? ''

/** What a platform posts when a person writes to the bot, and where the link and the digits are in the answer. */
type Ask = (running: Running, exported: string) => Promise<{ readonly link: string; readonly code?: string }>

const ofSlack: Ask = async ({ url }, exported) => {
  const post = (signature: string, sentAt: string) =>
    fetch(`${url}/slack/commands`, {
      method: 'POST',
      headers: {
        'content-type': 'application/x-www-form-urlencoded',
        'x-slack-request-timestamp': sentAt,
        'x-slack-signature': signature,
      },
      body: 'command=%2Fsettings&team_id=T1&user_id=U1',
    })
  const sentAt = String(Math.floor(Date.now() / 1000))
  const mac = createHmac('sha256', variableOf(exported, 'SLACK_SIGNING_SECRET'))
  const signature = `v0=${mac.update(`v0:${sentAt}:command=%2Fsettings&team_id=T1&user_id=U1`).digest('hex')}`
  expect((await post(`${signature.slice(0, -1)}x`, sentAt)).status).toBe(401)
  expect((await post(signature, '1')).status).toBe(401)
  const { text } = (await (await post(signature, sentAt)).json()) as { text: string }
  const [, link = '', code = ''] = /^<(.+)\|Open your settings>\. The page asks for: (\d+)$/.exec(text) ?? []
  return { link, code }
}

const ofTelegram: Ask = async ({ url }, exported) => {
  const post = (secret: string, type: string) =>
    fetch(`${url}/telegram/webhook`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-telegram-bot-api-secret-token': secret },
      body: JSON.stringify({ message: { text: '/settings', chat: { id: 7, type }, from: { id: 7 } } }),
    })
  expect((await post('another', 'private')).status).toBe(401)
  expect(await (await post(variableOf(exported, 'TELEGRAM_WEBHOOK_SECRET'), 'group')).text()).toBe('')
  const answer = await post(variableOf(exported, 'TELEGRAM_WEBHOOK_SECRET'), 'private')
  const message = (await answer.json()) as { reply_markup: { inline_keyboard: [[{ url: string }]] } }
  return { link: message.reply_markup.inline_keyboard[0][0].url }
}

const ofTerminal: Ask = async (running) => {
  await until(running, () => /asks for: \d+\n/.test(running.printed()))
  const [, link = '', code = ''] = /^(http\S+)\nThe page asks for: (\d+)$/m.exec(running.printed()) ?? []
  return { link, code }
}

/** By example that has a page of settings: how its link comes, and what the page shows. */
const asks: Readonly<Record<string, readonly [Ask, string]>> = {
  'settings-page': [ofTerminal, 'The settings of u1.'],
  'slack-bot': [ofSlack, 'name="volume"'],
  'telegram-bot': [ofTelegram, 'The settings of user 7.'],
}

/** Gets a link as its person does, opens the settings with it, uses them and signs out; where an example has settings. */
export async function useSettings(name: string, running: Running, exported: string): Promise<void> {
  const [ask, shown] = asks[name] ?? []
  if (ask === undefined) return
  const { link, code } = await ask(running, exported)
  const person = new TestBrowser(running.url)
  expect((await person.send('/settings')).status).toBe(401)
  expect((await person.confirm(link, code === undefined ? {} : { code })).status).toBe(303)
  const page = await person.send('/settings')
  const text = await page.text()
  expect([page.status, text]).toEqual([200, expect.stringContaining(shown as string)])
  if (name === 'slack-bot') {
    expect((await person.post('/settings/volume', { volume: '9' })).status).toBe(303)
    expect(await (await person.send('/settings')).text()).toContain('value="9"')
  }
  if (name === 'settings-page') {
    expect(await (await person.post('/settings/delete')).text()).toBe('Everything of u1 is deleted.')
  }
  expect(text).toContain('<form method="post" action="/settings/logout"><button>Sign out</button></form>')
  expect((await person.post('/settings/logout')).status).toBe(200)
  expect((await person.send('/settings')).status).toBe(401)
}
