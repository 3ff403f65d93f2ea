import { memoryReplay, type ReplayStore } from '@countersign/core'
import { rfc9421, type SignatureFormat, xHeaders } from '@countersign/hmac'
import { afterEach, describe, expect, test } from '@jest/globals'
import { fakeClock } from '../../../test/support/fake-clock.js'
import { type Harness, hmacApp, send, signed } from './harness.js'

let app: Harness
afterEach(() => app.close())

const formats: [string, SignatureFormat][] = [
  ['rfc9421', rfc9421()],
  ['xHeaders', xHeaders()],
]

/** Remembers keys and their life; answers late. */
function slowReplay() {
  const claims = new Map<string, number>()
  const replay: ReplayStore = {
    claim: async (key, ttlMs) => {
      await new Promise((resolve) => setImmediate(resolve))
      if (claims.has(key)) return 'seen'
      claims.set(key, ttlMs)
      return 'fresh'
    },
  }
  return { replay, claims }
}

describe.each(formats)('a request signed in %s', (name, format) => {
  const sign = (ageSeconds = 0) => signed({ format, version: 3, body: '{}', now: app.clock.now() - ageSeconds * 1000 })
  const post = async (headers: Record<string, string>, body = '{}') =>
    (await send(app.port, 'POST', '/jobs?a=1', headers, Buffer.from(body))).status

  test('[hmac-twice] is accepted once, and its copy is a critical event', async () => {
    app = await hmacApp({ formats: [format] })
    const headers = sign()
    expect([await post(headers), await post(headers), await post(headers)]).toEqual([200, 401, 401])
    expect(app.events.at(-1)).toMatchObject({ reason: 'replayed', severity: 'critical', owasp: 'authn_token_reuse' })
  })

  test('[hmac-copies] is accepted once of 100 concurrent copies', async () => {
    app = await hmacApp({ formats: [format], replay: slowReplay().replay })
    const headers = sign()
    const statuses = await Promise.all(Array.from({ length: 100 }, () => post(headers)))
    expect(statuses.filter((status) => status === 200)).toHaveLength(1)
    expect(statuses.filter((status) => status === 401)).toHaveLength(99)
    expect(app.events.filter(({ reason }) => reason === 'replayed')).toHaveLength(99)
  })

  test('[hmac-garbled] is not used up by a garbled copy', async () => {
    app = await hmacApp({ formats: [format] })
    const headers = sign()
    expect(await post(headers, '{"a":1}')).toBe(401)
    expect(await post({ ...headers, [Object.keys(headers)[0] as string]: 'x' })).toBe(401)
    expect(await post(headers)).toBe(200)
  })

  test('[hmac-future] dated ahead is not accepted again while it is within the window', async () => {
    app = await hmacApp({ formats: [format] })
    const { windowAheadSeconds: ahead, windowBackSeconds: back } = format
    const headers = sign(-ahead)
    expect(await post(headers)).toBe(200)
    for (let second = 0; second < ahead + back; second += 30) {
      app.clock.advance(30_000)
      expect([await post(headers), app.last()]).toEqual([401, second + 30 <= ahead + back ? 'replayed' : 'expired'])
    }
    app.clock.advance(1000)
    expect([await post(headers), app.last()]).toEqual([401, 'expired'])
  })

  test('uses up its nonce, whatever that signs: another request with it is a copy', async () => {
    app = await hmacApp({ formats: [format] })
    const own = (body: string) => signed({ format, version: 3, body, nonce: 'n-1', now: app.clock.now() })
    expect([await post(own('{}')), await post(own('[]'), '[]'), app.last()]).toEqual([200, 401, 'replayed'])
    app.clock.advance(1000)
    expect(await post(own('[]'), '[]')).toBe(200)
  })

  test('is remembered for the window and two minutes, whatever its own date', async () => {
    const { replay, claims } = slowReplay()
    app = await hmacApp({ formats: [format], replay })
    const { windowAheadSeconds: ahead, windowBackSeconds: back } = format
    for (const age of [back, 0, -ahead]) expect(await post(sign(age))).toBe(200)
    expect([...claims.values()]).toEqual([0, 0, 0].map(() => (back + ahead + 120) * 1000))
    // A digest: nothing of the request can be read from the store.
    for (const key of claims.keys()) expect(key).toMatch(/^[A-Za-z0-9_-]{43}$/)
  })

  test('[hmac-store-full] meets a full store: 503, and what it holds stays used', async () => {
    const clock = fakeClock()
    app = await hmacApp({ formats: [format], clock, replay: memoryReplay({ clock, maxEntries: 2 }) })
    clock.jump(app.clock.now() - clock.now())
    const made = [0, 1, 2].map((second) => signed({ format, version: 3, body: '{}', now: clock.now() - second * 1000 }))
    expect([await post(made[0] ?? {}), await post(made[1] ?? {}), await post(made[2] ?? {})]).toEqual([200, 200, 503])
    expect(app.events.at(-1)).toMatchObject({
      type: 'access.unavailable',
      reason: 'replay_store',
      severity: 'critical',
    })
    expect([await post(made[0] ?? {}), await post(made[1] ?? {})]).toEqual([401, 401])
    clock.advance((format.windowBackSeconds + format.windowAheadSeconds + 121) * 1000)
    expect(await post(signed({ format, version: 3, body: '{}', now: clock.now() }))).toBe(200)
  })

  test('by GET is held to single use where a nonce tells two polls apart', async () => {
    app = await hmacApp({ formats: [format] })
    const headers = signed({ method: 'GET', format, version: 3, now: app.clock.now() })
    const get = async () => (await send(app.port, 'GET', '/jobs?a=1', headers)).status
    expect([await get(), await get()]).toEqual(name === 'rfc9421' ? [200, 401] : [200, 200])
  })
})

test('two requests within a second differ by their nonce, and both pass', async () => {
  app = await hmacApp({ formats: [rfc9421()] })
  const sign = () => signed({ format: rfc9421(), version: 3, now: app.clock.now() })
  const statuses = [
    await send(app.port, 'POST', '/jobs?a=1', sign()),
    await send(app.port, 'POST', '/jobs?a=1', sign()),
  ]
  expect(statuses.map(({ status }) => status)).toEqual([200, 200])
})

test('a window may have fractions of a second, and a claim is remembered for whole milliseconds', async () => {
  const { replay, claims } = slowReplay()
  const format = xHeaders({ windowBackSeconds: 1.0001, windowAheadSeconds: 0.5 })
  app = await hmacApp({ formats: [format], replay })
  const post = async (ageSeconds: number) => {
    const headers = signed({ format, now: app.clock.now() - ageSeconds * 1000 })
    return [(await send(app.port, 'POST', '/jobs?a=1', headers)).status, app.last()]
  }
  expect([await post(1), await post(2), await post(-1)]).toEqual([
    [200, 'granted'],
    [401, 'expired'],
    [401, 'not_yet_valid'],
  ])
  expect([...claims.values()]).toEqual([121_501])
})
