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
    ['a query added', { target: '/jobs?a=1&b=2' }],
    ['the query removed', { target: '/jobs' }],
    ['an empty query', { target: '/jobs?' }],
    ['a doubled slash', { target: '//jobs?a=1' }],
    ['a dot segment', { target: '/x/../jobs?a=1' }],
    ['other spacing in the JSON', { body: '{"a": 1}' }],
    ['another body', { body: '{"a":2}' }],
  ])('does not cover %s', async (_what, change) => {
    expect((await sendAs(change)).status).toBe(401)
    expect(app.last()).toBe('bad_signature')
  })

  test.each([
    ['an empty caller', { 'x-countersign-caller': '' }, 401, 'malformed'],
    ['an upper-case caller', { 'x-countersign-caller': 'Scheduler' }, 401, 'malformed'],
    ['a caller nobody knows', { 'x-countersign-caller': 'stranger' }, 401, 'unknown_caller'],
    ['a timestamp with a leading zero', { 'x-countersign-timestamp': '01767225600' }, 401, 'malformed'],
    ['a timestamp with an exponent', { 'x-countersign-timestamp': '1e9' }, 401, 'malformed'],
    ['64 characters that are not hex', { 'x-countersign-signature': 'z'.repeat(64) }, 401, 'malformed'],
    ['63 hex digits', { 'x-countersign-signature': 'a'.repeat(63) }, 401, 'malformed'],
    ['upper-case hex', { 'x-countersign-signature': 'A'.repeat(64) }, 401, 'malformed'],
    ['a version with a leading zero', { 'x-countersign-key-version': '03' }, 401, 'malformed'],
    ['a version with an exponent', { 'x-countersign-key-version': '3e0' }, 401, 'malformed'],
    ['a version beyond 31 bits', { 'x-countersign-key-version': '2147483648' }, 401, 'malformed'],
    ['a version that does not exist', { 'x-countersign-key-version': '4' }, 401, 'unknown_key_version'],
    ['the caller twice', { 'x-countersign-caller': ['scheduler', 'scheduler'] }, 400, 'ambiguous'],
    ['the signature twice', { 'x-countersign-signature': ['a'.repeat(64), 'b'.repeat(64)] }, 400, 'ambiguous'],
  ])('is refused with %s', async (_what, headers, status, reason) => {
    expect((await sendAs({ headers })).status).toBe(status)
    expect(app.last()).toBe(reason)
  })

  test('every unproven refusal has one body, byte for byte, with a challenge', async () => {
    const unknown = await sendAs({ headers: { 'x-countersign-caller': 'stranger' } })
    const bad = await sendAs({ body: 'other' })
    const nothing = await send(app.port, 'POST', '/jobs')
    expect(new Set([unknown.text, bad.text, nothing.text]).size).toBe(1)
    expect(bad.headers['www-authenticate']).toBe('Countersign-HMAC')
    expect(app.last()).toBe('missing')
  })

  test.each([
    [300, 200, 'granted'],
    [301, 401, 'outside_window'],
    [-300, 200, 'granted'],
    [-301, 401, 'outside_window'],
  ])('at an age of %i s is answered %i', async (age, status, reason) => {
    const now = app.clock.now() - age * 1000
    expect(
      (await send(app.port, 'DELETE', `/age/${age}`, signed({ method: 'DELETE', target: `/age/${age}`, now }))).status,
    ).toBe(status)
    expect(app.last()).toBe(reason)
  })

  test('is accepted once, except for GET, where two equal polls have one signature', async () => {
    app.clock.advance(1000)
    const post = signed({ now: app.clock.now() })
    const first = await send(app.port, 'POST', '/jobs?a=1', post)
    const second = await send(app.port, 'POST', '/jobs?a=1', post)
    expect([first.status, second.status, app.last()]).toEqual([200, 401, 'replayed'])
    const get = signed({ method: 'GET', now: app.clock.now() })
    expect((await send(app.port, 'GET', '/jobs?a=1', get)).status).toBe(200)
    expect((await send(app.port, 'GET', '/jobs?a=1', get)).status).toBe(200)
  })

  test('made for another audience is refused, and the event says so when that is the Host', async () => {
    const elsewhere = signed({ now: app.clock.now(), audience: 'staging.example.com' })
    await send(app.port, 'POST', '/jobs?a=1', elsewhere)
    expect(app.last()).toBe('bad_signature')
    await send(app.port, 'POST', '/jobs?a=1', { ...elsewhere, host: 'staging.example.com' })
    expect(app.last()).toBe('audience_mismatch')
  })

  test('expires and is revoked with its secret', async () => {
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

test('two formats at once are refused, and two formats with one header cannot be configured', async () => {
  const both = await hmacApp({ formats: [xHeaders(), xHeaders({ prefix: 'x-kh' })] })
  const now = both.clock.now()
  const headers = { ...signed({ now }), ...signed({ now, format: xHeaders({ prefix: 'x-kh' }) }) }
  expect((await send(both.port, 'POST', '/jobs?a=1', headers)).status).toBe(400)
  expect(both.last()).toBe('ambiguous')
  await both.close()
  await expect(hmacApp({ formats: [xHeaders(), xHeaders()] })).rejects.toThrow('"formats"')
  await expect(hmacApp({ audience: undefined })).rejects.toThrow('"audience" is required')
})
