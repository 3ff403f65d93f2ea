import { xHeaders } from '@countersign/hmac'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { type Harness, hmacApp, send, signed } from './harness.js'

let app: Harness
beforeAll(async () => {
  app = await hmacApp()
})
afterAll(() => app.close())

/** A request that differs from what was signed. */
async function sendAs(
  change: { method?: string; target?: string; body?: string; headers?: Record<string, string | string[]> },
  sign: Parameters<typeof signed>[0] = { now: app.clock.now() },
) {
  app.clock.advance(1000)
  const headers = { ...signed({ body: '{"a":1}', ...sign }), ...change.headers }
  const body = change.body ?? '{"a":1}'
  return send(app.port, change.method ?? 'POST', change.target ?? '/jobs?a=1', headers, Buffer.from(body))
}

describe('a signature in x-headers', () => {
  test('lets its own request through, with a principal and the raw body', async () => {
    const answer = await sendAs({})
    expect(answer.status).toBe(200)
    expect(JSON.parse(answer.text)).toEqual({
      principal: { kind: 'hmac', id: 'scheduler', caller: 'scheduler', keyVersion: 3, format: 'xHeaders' },
      raw: Buffer.from('{"a":1}').toString('base64'),
    })
    expect(app.events).toHaveLength(1)
    expect(app.events[0]).toMatchObject({
      type: 'access.granted',
      credential: { id: 'scheduler/3', version: 3 },
      attributes: { format: 'xHeaders', key_version: 3, skew_seconds: 1 },
    })
  })

  test.each([
    ['another method', { method: 'PUT' }],
    ['another path', { target: '/job?a=1' }],
    ['[hmac-spacing] JSON with other spacing', { body: '{"a": 1}' }],
    ['[hmac-spacing] JSON with a newline behind it', { body: '{"a":1}\n' }],
    ['[hmac-spacing] JSON with its members in another order', { body: '{"b":2,"a":1}' }],
    ['another body', { body: '{"a":2}' }],
  ])('%s is not what was signed', async (_what, change) => {
    expect((await sendAs(change)).status).toBe(401)
    expect(app.last()).toBe('bad_signature')
  })

  test('[hmac-alike] every unproven refusal has one body, byte for byte, with a challenge', async () => {
    const unknown = await sendAs({ headers: { 'x-countersign-caller': 'stranger' } })
    const bad = await sendAs({ body: 'other' })
    const nothing = await send(app.port, 'POST', '/jobs')
    expect(new Set([unknown.text, bad.text, nothing.text]).size).toBe(1)
    expect(bad.headers['www-authenticate']).toBe('Countersign-HMAC')
    expect(app.last()).toBe('missing')
  })

  test('[hmac-twice] is accepted once, except for GET, where two equal polls have one signature', async () => {
    app.clock.advance(1000)
    const post = signed({ now: app.clock.now() })
    const first = await send(app.port, 'POST', '/jobs?a=1', post)
    const second = await send(app.port, 'POST', '/jobs?a=1', post)
    expect([first.status, second.status, app.last()]).toEqual([200, 401, 'replayed'])
    const get = signed({ method: 'GET', now: app.clock.now() })
    expect((await send(app.port, 'GET', '/jobs?a=1', get)).status).toBe(200)
    expect((await send(app.port, 'GET', '/jobs?a=1', get)).status).toBe(200)
  })

  test('by GET and HEAD is not held to single use, and by every other method it is', async () => {
    app.clock.advance(1000)
    const statuses: Record<string, number[]> = {}
    for (const method of ['GET', 'HEAD', 'OPTIONS', 'POST', 'PUT', 'PATCH', 'DELETE']) {
      const headers = signed({ method, now: app.clock.now() })
      const twice = [
        await send(app.port, method, '/jobs?a=1', headers),
        await send(app.port, method, '/jobs?a=1', headers),
      ]
      statuses[method] = twice.map(({ status }) => status)
    }
    const [repeatable, single] = [
      [200, 200],
      [200, 401],
    ]
    expect(statuses).toEqual({
      GET: repeatable,
      HEAD: repeatable,
      OPTIONS: single,
      POST: single,
      PUT: single,
      PATCH: single,
      DELETE: single,
    })
  })

  test('made for another audience is refused, and the event says so when that is the Host', async () => {
    const elsewhere = signed({ now: app.clock.now(), audience: 'staging.example.com' })
    await send(app.port, 'POST', '/jobs?a=1', elsewhere)
    expect(app.last()).toBe('bad_signature')
    await send(app.port, 'POST', '/jobs?a=1', { ...elsewhere, host: 'staging.example.com' })
    expect(app.last()).toBe('wrong_audience')
  })

  test('[hmac-rotated] [hmac-revoked] expires and is revoked with its secret', async () => {
    app.secrets.rotate('scheduler', { secret: 'the-second-secret-that-is-long-enough', graceSeconds: 60 })
    const target = '/rotated'
    const old = () => signed({ target, now: app.clock.now(), version: 3 })
    expect((await send(app.port, 'POST', target, old())).status).toBe(200)
    app.clock.advance(60_000)
    expect((await send(app.port, 'POST', target, old())).status).toBe(401)
    expect(app.last()).toBe('no_active_secret')
    app.secrets.revoke('scheduler', 4)
    const fresh = signed({ target, now: app.clock.now(), secret: 'the-second-secret-that-is-long-enough' })
    expect((await send(app.port, 'POST', target, fresh)).status).toBe(401)
    expect(app.last()).toBe('no_active_secret')
  })
})

test('two formats in one request are refused, and two formats with one header cannot be configured', async () => {
  const both = await hmacApp({ formats: [xHeaders(), xHeaders({ prefix: 'x-kh' })] })
  const now = both.clock.now()
  const headers = { ...signed({ now }), ...signed({ now, format: xHeaders({ prefix: 'x-kh' }) }) }
  expect((await send(both.port, 'POST', '/jobs?a=1', headers)).status).toBe(400)
  expect(both.last()).toBe('ambiguous')
  await both.close()
  await expect(hmacApp({ formats: [xHeaders(), xHeaders()] })).rejects.toThrow('"formats"')
  await expect(hmacApp({ audience: undefined })).rejects.toThrow('"audience" is required')
})
