import { afterEach, describe, expect, test } from '@jest/globals'
import { type Harness, hmacApp, send, signed } from './harness.js'

const legacy = { headers: ['x-service-key', 'authorization'], keys: { scheduler: ['old-key', 'older-key'] } }
let app: Harness
afterEach(() => app?.close())

describe('the old key', () => {
  test('is accepted next to signatures, and the event names who still uses it', async () => {
    app = await hmacApp({ legacy })
    expect((await send(app.port, 'POST', '/jobs', { 'x-service-key': 'older-key' })).status).toBe(200)
    expect((await send(app.port, 'POST', '/jobs', { authorization: 'Bearer old-key' })).status).toBe(200)
    expect(app.events[0]).toMatchObject({
      type: 'access.granted',
      principal: { kind: 'hmac', id: 'scheduler' },
      attributes: { format: 'legacy' },
    })
    expect((await send(app.port, 'POST', '/jobs?a=1', signed({ now: app.clock.now() }))).status).toBe(200)
    expect((await send(app.port, 'POST', '/jobs', { 'x-service-key': 'no-key' })).status).toBe(401)
    expect((await send(app.port, 'POST', '/jobs', { 'x-service-key': '' })).status).toBe(401)
    const both = { 'x-service-key': 'old-key', authorization: 'Bearer old-key' }
    expect((await send(app.port, 'POST', '/jobs', both)).status).toBe(400)
  })

  test('does not help beside a junk signature', async () => {
    app = await hmacApp({ legacy })
    const headers = { 'x-service-key': 'old-key', 'x-countersign-signature': 'junk' }
    expect((await send(app.port, 'POST', '/jobs', headers)).status).toBe(401)
    expect(app.last()).toBe('malformed')
  })

  test.each([
    ['true', true, 401],
    ['false', false, 200],
    ['this caller', { scheduler: true }, 401],
    ['another caller', { other: true }, 200],
    ['a function', () => ({ scheduler: true }), 401],
    [
      'a function that throws',
      () => {
        throw new Error('no settings')
      },
      401,
    ],
    ['a function that says nothing', (() => undefined) as never, 401],
  ])('with enforce for %s', async (_what, enforce, status) => {
    app = await hmacApp({ legacy, enforce })
    expect((await send(app.port, 'POST', '/jobs', { 'x-service-key': 'old-key' })).status).toBe(status)
    expect(app.last()).toBe(status === 401 ? 'legacy_refused' : 'granted')
  })
})

describe('report mode', () => {
  test('lets the old key decide and says what the signature would have', async () => {
    app = await hmacApp({ legacy, mode: 'report' })
    const good = { ...signed({ now: app.clock.now() }), 'x-service-key': 'old-key' }
    const bad = { ...good, 'x-countersign-signature': 'a'.repeat(64) }
    expect((await send(app.port, 'POST', '/jobs?a=1', good)).status).toBe(200)
    expect((await send(app.port, 'POST', '/jobs?a=1', bad)).status).toBe(200)
    expect((await send(app.port, 'POST', '/jobs', { 'x-service-key': 'old-key' })).status).toBe(200)
    expect((await send(app.port, 'POST', '/jobs?a=1', signed({ now: app.clock.now() }))).status).toBe(401)
    expect(app.events.map((event) => event.attributes?.signature)).toEqual([
      'valid',
      'bad_signature',
      'missing',
      'not_checked',
    ])
  })

  test('leaves a body beyond its limit whole', async () => {
    const sizes: number[] = []
    app = await hmacApp({
      legacy,
      mode: 'report',
      maxBodyBytes: 1000,
      after: [
        async (request, _response, next) => {
          let size = 0
          for await (const chunk of request) size += (chunk as Buffer).length
          sizes.push(size)
          next()
        },
      ],
    })
    const headers = { ...signed({ now: app.clock.now() }), 'x-service-key': 'old-key', 'transfer-encoding': 'chunked' }
    expect((await send(app.port, 'POST', '/jobs?a=1', headers, Buffer.alloc(300_000))).status).toBe(200)
    expect(sizes).toEqual([300_000])
    expect(app.events[0]?.attributes?.signature).toBe('body_too_large')
  })

  test('without the old key cannot be configured', async () => {
    await expect(hmacApp({ mode: 'report' })).rejects.toThrow('it would let everyone in')
  })
})

test('one old key under two callers cannot be configured', async () => {
  const shared = { headers: ['x-service-key'], keys: { a: ['same'], b: ['same'] } }
  await expect(hmacApp({ legacy: shared })).rejects.toThrow('has one key twice')
})
