import { createHmac } from 'node:crypto'
import { UnavailableError } from '@countersign/core'
import { memorySessions } from '@countersign/settings-session'
import type { SettingsStore } from '@countersign/settings-session/store'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { type Harness, type HarnessOptions, settingsApp } from './harness.js'
import { type HostileProvider, startHostileProvider } from './support/hostile-provider.js'

const BOT_TOKEN = '7342037359:AAHI25ES9xCOMPokpYoz-p8XVrZUdygo2J4'

let provider: HostileProvider
const apps: Harness[] = []
beforeAll(async () => {
  provider = await startHostileProvider()
})
afterAll(async () => {
  await Promise.all(apps.map((app) => app.close()))
  await provider.close()
})

async function start(options: HarnessOptions): Promise<Harness> {
  const app = await settingsApp(options)
  apps.push(app)
  return app
}

const coded = Object.assign(new Error('no route to the host'), { code: 'EHOSTUNREACH' })
const OUTAGES = [
  ['an error of its own', coded, { error: 'Error', code: 'EHOSTUNREACH' }],
  ['a garbled answer', new SyntaxError('Unexpected token'), { error: 'SyntaxError' }],
  ['a failed fetch', new TypeError('fetch failed'), { error: 'TypeError' }],
  [
    'an UnavailableError',
    new UnavailableError('session_store', 'down', { retryAfterSeconds: 7 }),
    { error: 'UnavailableError' },
  ],
] as const
const BUGS = [
  ['a TypeError', new TypeError('x is not a function'), { error: 'TypeError' }],
  ['a RangeError', new RangeError('out of range'), { error: 'RangeError' }],
  ['a ReferenceError', new ReferenceError('x is not defined'), { error: 'ReferenceError' }],
] as const

/** What the store throws, or rejects with, in each call. */
function failing(error: unknown, isAsync: boolean): SettingsStore {
  const fail = isAsync
    ? () => Promise.reject(error)
    : () => {
        throw error
      }
  return { ...memorySessions(), read: fail, peekLink: fail, revoke: fail }
}

describe.each([
  ['throws', false],
  ['rejects with', true],
] as const)('[settings-one-rule] a store that %s', (_how, isAsync) => {
  const session = `__Host-countersign-settings=s1.0${'A'.repeat(16)}.${'A'.repeat(43)}`
  const link = `l1.0${'A'.repeat(16)}.${'A'.repeat(43)}`

  async function answersOf(app: Harness): Promise<Response[]> {
    const headers = { cookie: session, accept: 'application/json' }
    return [
      await app.browser().send('/settings', { headers }),
      await app.browser().send(`/settings?s=${link}`, { headers }),
      await app.browser().post('/settings/logout', {}, headers),
    ]
  }

  test.each(OUTAGES)(
    '%s is 503 on the gate and on the routes, by the error in the event',
    async (_name, error, seen) => {
      const app = await start({ store: failing(error, isAsync) })
      const answers = await answersOf(app)
      const retry = 'retryAfterSeconds' in error ? '7' : '1'
      for (const answer of answers) {
        expect([answer.status, answer.headers.get('retry-after'), answer.headers.get('www-authenticate')]).toEqual([
          503,
          retry,
          null,
        ])
      }
      expect(app.events).toHaveLength(3)
      for (const event of app.events) {
        expect(event).toMatchObject({ type: 'access.unavailable', gate: 'settings-session', reason: 'session_store' })
        expect(event.attributes).toMatchObject({ ...seen, at: expect.any(String) })
        expect(event.latencyMs).toEqual(expect.any(Number))
      }
    },
  )

  test.each(BUGS)('%s is 500 without detail on the gate and on the routes', async (_name, error, seen) => {
    const app = await start({ store: failing(error, isAsync) })
    for (const answer of await answersOf(app)) {
      expect([answer.status, await answer.text()]).toEqual([
        500,
        '{"type":"about:blank","title":"Internal Server Error","status":500}',
      ])
    }
    expect(app.events).toHaveLength(3)
    for (const event of app.events) {
      expect(event).toMatchObject({ type: 'access.unavailable', reason: 'internal_error', http: { status: 500 } })
      expect(event.attributes).toMatchObject({ ...seen, at: expect.any(String) })
    }
  })
})

describe("[settings-one-rule] a function of the app's own that fails is named in the event", () => {
  test.each([
    ['an outage', new Error('the chat is down'), 503, 'on_first_claim'],
    ['a bug', new ReferenceError('chat is not defined'), 500, 'internal_error'],
  ] as const)('onFirstClaim with %s', async (_name, error, status, reason) => {
    const onFirstClaim = async () => {
      throw error
    }
    const app = await start({ oauth: provider.oauth, onFirstClaim, realTime: true })
    const person = app.browser()
    await person.confirm(await app.link())
    const asked = await person.send('/settings/oauth/start')
    const answer = await person.send(provider.answerTo(asked.headers.get('location') as string))
    expect(answer.status).toBe(status)
    expect(app.events.at(-1)).toMatchObject({ reason, attributes: { error: error.name } })
    // No identity was bound, and the person can sign in again.
    expect(await app.settings.identityOf({ platform: 'telegram', userId: 'u1' })).toBeUndefined()
    expect((await person.send('/settings/oauth/start')).status).toBe(302)
  })

  test.each([
    ['an outage', new Error('the chat is down'), 503, 'allow_chat'],
    ['a bug', new ReferenceError('chat is not defined'), 500, 'internal_error'],
  ] as const)('allowChat with %s', async (_name, error, status, reason) => {
    const allowChat = () => {
      throw error
    }
    const app = await start({ telegram: { botToken: BOT_TOKEN, allowChat } })
    const fields = { auth_date: String(Math.floor(app.clock.now() / 1000)), chat: '{"id":-1}', user: '{"id":42}' }
    const text = Object.entries(fields)
      .map(([name, value]) => `${name}=${value}`)
      .join('\n')
    const key = createHmac('sha256', 'WebAppData').update(BOT_TOKEN).digest()
    const hash = createHmac('sha256', key).update(text).digest('hex')
    const answer = await app.browser().send('/settings/telegram', {
      method: 'POST',
      headers: { origin: app.url, 'sec-fetch-site': 'same-origin', 'content-type': 'application/json' },
      body: JSON.stringify({ initData: new URLSearchParams({ ...fields, hash }).toString() }),
    })
    expect(answer.status).toBe(status)
    expect(app.events.at(-1)).toMatchObject({ reason, attributes: { error: error.name } })
  })
})

test('[settings-one-rule] a page of the app that throws is a bug, whatever it throws, and has one event', async () => {
  const fail = () => {
    throw new Error('a fault of the page')
  }
  const app = await start({ pages: { confirm: fail, error: fail } })
  const person = app.browser()
  const link = await app.link()
  app.events.length = 0
  expect((await person.open(link)).status).toBe(500)
  expect((await app.browser().send('/settings')).status).toBe(500)
  expect((await app.browser().send('/settings?s=x')).status).toBe(500)
  expect(app.events.map(({ reason }) => reason)).toEqual(['internal_error', 'internal_error', 'internal_error'])
  expect(app.events[0]).toMatchObject({
    http: { route: '/settings/open', status: 500 },
    attributes: { error: 'Error' },
  })
})
