import { memorySessions, requireSettingsSession } from '@countersign/settings-session'
import type { SettingsStore } from '@countersign/settings-session/store'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals'
import type { RequestHandler } from 'express'
import { fakeClock } from '../../../test/support/fake-clock.js'
import type { TestBrowser } from './browser.js'
import { type Harness, settingsApp } from './harness.js'

const clock = fakeClock()
let reads = 0
const memory = memorySessions({ clock })
const store: SettingsStore = {
  ...memory,
  read: (ref) => {
    reads += 1
    return memory.read(ref)
  },
}

let app: Harness
beforeAll(async () => {
  app = await settingsApp({
    store,
    clock,
    before: (host, settings) => {
      const wide = requireSettingsSession({ settings, clock })
      const done: RequestHandler = (request, response) => void response.json({ id: request.principal?.id })
      const override: RequestHandler = (request, _response, next) => {
        request.method = 'POST'
        next()
      }
      const fresh = requireSettingsSession({ settings, clock, maxAuthAgeSeconds: 2.5 })
      const json = requireSettingsSession({ settings, clock, requireJson: true })
      const kinds = requireSettingsSession({ settings, clock, kinds: ['integration'] })
      host.use('/area', wide)
      host.all('/area/same', requireSettingsSession({ settings, clock }), done)
      host.all('/area/fresh', fresh, done)
      host.all('/area/json', json, done)
      host.all('/area/kinds', kinds, done)
      host.all('/area/overridden', override, requireSettingsSession({ settings, clock }), done)
      host.all('/optional', requireSettingsSession({ settings, clock }).optional(), done)
    },
  })
})
afterAll(() => app.close())

let person: TestBrowser
beforeEach(async () => {
  person = app.browser()
  await person.confirm(await app.link())
  app.events.length = 0
  reads = 0
})

const decisions = () => app.events.map(({ type, reason }) => reason ?? type)

describe('[settings-mounted-twice] a gate on the router and another one on the route', () => {
  test('ask the store once and report one grant', async () => {
    expect((await person.send('/area/same')).status).toBe(200)
    expect(reads).toBe(1)
    expect(decisions()).toEqual(['access.granted'])
  })

  test('report one refusal of a request without a session', async () => {
    expect((await app.browser().send('/area/same')).status).toBe(401)
    expect(decisions()).toEqual(['missing'])
  })

  test('the narrow one demands a recent sign-in, to a fraction of a second', async () => {
    clock.advance(2500)
    expect((await person.send('/area/fresh')).status).toBe(200)
    clock.advance(1)
    expect((await person.send('/area/same')).status).toBe(200)
    app.events.length = 0
    expect((await person.send('/area/fresh')).status).toBe(403)
    expect(decisions()).toEqual(['access.granted', 'stale'])
    expect(app.events.at(-1)).toMatchObject({
      principal: { id: 'telegram:u1' },
      credential: { id: expect.any(String) },
    })
  })

  test('the narrow one demands JSON', async () => {
    const send = (type: string) =>
      person.send('/area/json', { method: 'POST', headers: { origin: app.url, 'content-type': type }, body: '{}' })
    expect((await send('application/json')).status).toBe(200)
    expect((await send('application/x-www-form-urlencoded')).status).toBe(415)
    expect(decisions().at(-1)).toBe('unsupported_body')
  })

  test('the narrow one demands sessions of its kinds', async () => {
    expect((await person.send('/area/kinds')).status).toBe(403)
    expect(decisions()).toEqual(['access.granted', 'wrong_kind'])
  })

  test('[settings-csrf] the narrow one judges a method that was overridden in between', async () => {
    const headers = { origin: 'https://evil.example.com', 'sec-fetch-site': 'cross-site' }
    expect((await person.send('/area/same', { headers })).status).toBe(200)
    expect((await person.send('/area/overridden', { headers })).status).toBe(403)
    expect(decisions().at(-1)).toBe('cross_site')
    expect((await person.send('/area/overridden', { headers: { origin: app.url } })).status).toBe(200)
  })
})

test('[settings-csrf] an unsafe request of another site costs no read, and does not keep the session alive', async () => {
  clock.advance(14 * 60_000)
  const headers = { origin: 'https://evil.example.com', 'sec-fetch-site': 'cross-site' }
  expect((await person.send('/area/same', { method: 'POST', headers })).status).toBe(403)
  expect(reads).toBe(0)
  clock.advance(60_000)
  expect((await person.send('/area/same')).status).toBe(401)
  expect(decisions()).toEqual(['cross_site', 'idle'])
})

test('[settings-wrong-place] an optional gate lets a request without a session through, but not with a link in the query', async () => {
  const link = new URL(await app.link())
  app.events.length = 0
  const stranger = app.browser()
  expect(await (await stranger.send('/optional')).json()).toEqual({})
  expect((await stranger.send(`/optional${link.search}`)).status).toBe(400)
  expect(decisions()).toEqual(['link_in_wrong_place'])
})

test('a gate has its own name and kind', () => {
  const gate = requireSettingsSession({ settings: app.settings })
  expect([gate.name, gate.kind]).toEqual(['requireSettingsSession', 'settings-session'])
})
