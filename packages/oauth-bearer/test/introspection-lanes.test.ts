import type { ServerResponse } from 'node:http'
import type { IntrospectionOptions } from '@countersign/oauth-bearer'
import { afterEach, describe, expect, test } from '@jest/globals'
import type { Harness } from './harness.js'
import { type IntrospectedApp, introspectedApp } from './introspected-app.js'
import type { Introspector } from './introspector.js'

let app: Harness
let endpoint: Introspector
let active: IntrospectedApp['active']
let outcome: IntrospectedApp['outcome']
afterEach(() => app.stop())

async function start(introspection: Partial<IntrospectionOptions> = {}) {
  ;({ app, endpoint, active, outcome } = await introspectedApp(introspection))
}

const seconds = () => Math.floor(app.clock.now() / 1000)
const lasting = (rest = {}) => active({ exp: seconds() + 86_400, ...rest })
const fail = (response: ServerResponse) => void response.writeHead(500).end()
const reset = (response: ServerResponse) => void response.socket?.destroy()
/** Beyond what an answer is cached for. */
const LATER_MS = 31_000

describe('an attacker and known clients', () => {
  test('made-up tokens that hold every question do not shut out a token that was active before', async () => {
    await start({ maxConcurrent: 4, timeoutMs: 30_000 })
    endpoint.tokens.set('known', lasting())
    expect(await outcome('known')).toBe('200 granted')
    const open: ServerResponse[] = []
    for (let n = 0; n < 4; n += 1) endpoint.tokens.set(`junk-${n}`, (response) => void open.push(response))
    const junk = Array.from({ length: 4 }, (_, n) => app.get(`junk-${n}`))
    while (open.length < 4) await new Promise((resolve) => setTimeout(resolve, 5))
    expect(await outcome('one-more')).toBe('503 introspection')
    app.clock.advance(LATER_MS)
    expect(await outcome('known')).toBe('200 granted')
    expect(endpoint.asked.filter(({ form }) => form.get('token') === 'known')).toHaveLength(2)
    for (const response of open) response.end('{"active":false}')
    await Promise.all(junk)
  })

  test('made-up tokens that make the endpoint answer 500 do not open the circuit of known ones', async () => {
    await start()
    endpoint.tokens.set('known', lasting())
    expect(await outcome('known')).toBe('200 granted')
    for (let n = 0; n < 10; n += 1) {
      endpoint.tokens.set(`junk-${n}`, fail)
      expect(await outcome(`junk-${n}`)).toBe('503 introspection')
    }
    endpoint.tokens.set('new', lasting())
    expect(await outcome('new')).toBe('503 introspection')
    app.clock.advance(LATER_MS)
    endpoint.tokens.set('junk', fail)
    expect(await outcome('junk')).toBe('503 introspection')
    expect(await outcome('known')).toBe('200 granted')
  })

  test("one holder's valid tokens that make the endpoint answer 500 do not open the circuit of the others", async () => {
    await start({ mode: 'always' })
    const token = (sub: string) => app.token({ claims: { sub, exp: seconds() + 86_400 } })
    for (let n = 0; n < 10; n += 1) {
      const bad = await token('attacker')
      endpoint.tokens.set(bad, fail)
      expect(await outcome(bad)).toBe('503 introspection')
    }
    const good = await token('u2')
    endpoint.tokens.set(good, { active: true })
    expect(await outcome(good)).toBe('200 granted')
  })

  test("one holder's valid tokens that hang do not shut out the others, and are soon not asked about", async () => {
    await start({ mode: 'always', maxConcurrent: 4, timeoutMs: 200 })
    const token = (sub: string) => app.token({ claims: { sub, exp: seconds() + 86_400 } })
    const good = await token('u2')
    endpoint.tokens.set(good, { active: true })
    const bad = await Promise.all(Array.from({ length: 10 }, () => token('attacker')))
    for (const one of bad) endpoint.tokens.set(one, () => undefined)
    const hanging = Promise.all(bad.slice(0, 4).map(outcome))
    while (endpoint.asked.length < 2) await new Promise((resolve) => setTimeout(resolve, 5))
    expect(await outcome(good)).toBe('200 granted')
    expect(await hanging).toEqual(Array(4).fill('503 introspection'))
    for (const one of bad.slice(4)) expect(await outcome(one)).toBe('503 introspection')
    expect(endpoint.asked.length).toBeLessThanOrEqual(2 + 1 + 5)
    const other = await token('u3')
    endpoint.tokens.set(other, { active: true })
    expect(await outcome(other)).toBe('200 granted')
  })

  test('an endpoint that answers 500 to five holders is not asked for a while, and then once', async () => {
    await start({ mode: 'always' })
    const tokens = await Promise.all(Array.from({ length: 6 }, (_, n) => app.token({ claims: { sub: `u${n}` } })))
    for (const token of tokens) endpoint.tokens.set(token, fail)
    for (const token of tokens) expect(await outcome(token)).toBe('503 introspection')
    expect(endpoint.asked).toHaveLength(5)
    app.clock.advance(1000)
    for (const token of tokens) expect(await outcome(token)).toBe('503 introspection')
    expect(endpoint.asked).toHaveLength(6)
  })

  test('a token that the endpoint has called inactive has no place among the known ones', async () => {
    await start()
    endpoint.tokens.set('once', lasting())
    expect(await outcome('once')).toBe('200 granted')
    endpoint.tokens.set('once', { active: false })
    app.clock.advance(LATER_MS)
    expect(await outcome('once')).toBe('401 inactive')
    for (let n = 0; n < 5; n += 1) {
      endpoint.tokens.set(`junk-${n}`, fail)
      expect(await outcome(`junk-${n}`)).toBe('503 introspection')
    }
    endpoint.tokens.set('once', lasting())
    app.clock.advance(10_000)
    for (let n = 5; n < 10; n += 1) endpoint.tokens.set(`junk-${n}`, fail)
    expect(await outcome('junk-5')).toBe('503 introspection')
    expect(await outcome('once')).toBe('503 introspection')
  })
})

describe('an outage of the endpoint', () => {
  test('by default an active answer counts no longer than it is cached', async () => {
    await start()
    endpoint.tokens.set('known', lasting())
    expect(await outcome('known')).toBe('200 granted')
    endpoint.tokens.set('known', fail)
    app.clock.advance(LATER_MS)
    expect(await outcome('known')).toBe('503 introspection')
  })

  test.each([
    ['500', fail],
    ['a reset', reset],
  ])(
    '%s: with staleIfErrorSeconds a token that was active goes on for so long, and the event says so',
    async (_name, cut) => {
      await start({ staleIfErrorSeconds: 600 })
      endpoint.tokens.set('known', lasting())
      endpoint.tokens.set('short', lasting({ exp: seconds() + 120 }))
      endpoint.tokens.set('revoked', lasting())
      for (const token of ['known', 'short', 'revoked']) expect(await outcome(token)).toBe('200 granted')
      endpoint.tokens.set('revoked', { active: false })
      app.clock.advance(LATER_MS)
      expect(await outcome('revoked')).toBe('401 inactive')
      for (const token of ['known', 'short', 'revoked', 'new']) endpoint.tokens.set(token, cut)
      for (let minute = 0; minute < 9; minute += 1) {
        expect(await outcome('known')).toBe('200 granted')
        expect(await outcome('new')).toBe('503 introspection')
        app.clock.advance(60_000)
      }
      expect(app.events.findLast(({ type }) => type === 'access.granted')?.attributes).toMatchObject({
        via: 'introspection',
        stale_answer_used: true,
      })
      expect(await outcome('short')).toBe('401 expired')
      // The endpoint's last word of this one was no.
      expect(await outcome('revoked')).toBe('503 introspection')
      app.clock.advance(60_000)
      expect(await outcome('known')).toBe('503 introspection')
    },
  )

  test('a failure that one token alone can cause is not an outage', async () => {
    await start({ staleIfErrorSeconds: 600 })
    endpoint.tokens.set('known', lasting())
    expect(await outcome('known')).toBe('200 granted')
    endpoint.tokens.set('known', (response) => void response.writeHead(400).end())
    app.clock.advance(LATER_MS)
    expect(await outcome('known')).toBe('503 introspection')
  })

  test("in mode 'always' a JWT that was active goes on as well, and one that was not asked about does not", async () => {
    await start({ mode: 'always', staleIfErrorSeconds: 600 })
    const token = await app.token({ claims: { exp: seconds() + 86_400 } })
    const other = await app.token({ claims: { exp: seconds() + 86_400 } })
    endpoint.tokens.set(token, { active: true })
    expect(await outcome(token)).toBe('200 granted')
    for (const one of [token, other]) endpoint.tokens.set(one, fail)
    app.clock.advance(LATER_MS)
    expect([await outcome(token), await outcome(other)]).toEqual(['200 granted', '503 introspection'])
  })
})
