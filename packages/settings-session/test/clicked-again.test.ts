import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { type Harness, settingsApp } from './harness.js'

let app: Harness

beforeEach(async () => {
  app = await settingsApp()
})
afterEach(() => app.close())

const refusals = () => app.events.filter(({ outcome }) => outcome !== 'success')

describe('a link that its owner clicks again', () => {
  test('leads the browser that it signed in to the place that it opens, and is no refusal', async () => {
    const link = await app.link({ returnTo: '/settings/profile' })
    const person = app.browser()
    await person.confirm(link)
    const again = await person.send(link)
    expect([again.status, again.headers.get('location')]).toEqual([303, '/settings/profile'])
    expect((await person.open(link)).status).toBe(200)
    expect(refusals()).toEqual([])
    expect(await app.settings.list({ platform: 'telegram', userId: 'u1' })).toHaveLength(1)
  })

  test('opens nothing in a browser that another link signed in, nor after signing out', async () => {
    const link = await app.link()
    const person = app.browser()
    await person.confirm(link)
    const other = app.browser()
    await other.confirm(await app.link({ userId: 'u2' }))
    expect((await other.send(link)).status).toBe(401)
    await person.post('/settings/logout')
    expect((await person.send(link)).status).toBe(401)
    expect(app.last()).toBe('spent')
  })

  test('with another secret is unknown, whoever has a session of it', async () => {
    const link = await app.link()
    const person = app.browser()
    await person.confirm(link)
    expect((await person.send(`${link.slice(0, -43)}${'A'.repeat(43)}`)).status).toBe(401)
    expect(app.last()).toBe('unknown')
  })
})

describe('two tabs of a link', () => {
  test('have forms that both open it', async () => {
    const link = await app.link()
    const person = app.browser()
    const first = await person.form(await person.open(link))
    const second = await person.form(await person.open(link))
    expect((await person.post(first.action, first.fields)).status).toBe(303)
    const answer = await person.post(second.action, second.fields)
    expect([answer.status, answer.headers.get('location')]).toEqual([303, '/settings'])
    expect(refusals()).toEqual([])
    expect(await app.settings.list({ platform: 'telegram', userId: 'u1' })).toHaveLength(1)
  })
})

test.each(['.', ')', ').', '*', '_', '>', '%22', '%E2%80%9D', '%E3%80%82'])(
  'a link with %s stuck to it opens',
  async (end) => {
    const person = app.browser()
    expect((await person.confirm(`${await app.link()}${end}`)).status).toBe(303)
  },
)

test.each(['a', '.a', '%0a', '%00', '.........'])('a link with %s stuck to it is no link', async (end) => {
  expect((await app.browser().open(`${await app.link()}${end}`)).status).toBe(401)
  expect(app.last()).toBe('malformed')
})
