import type { ServerResponse } from 'node:http'
import type { KeyCache } from '@countersign/oauth-bearer/store'
import { afterEach, describe, expect, test } from '@jest/globals'
import { type Harness, type HarnessOptions, oauthApp } from './harness.js'

let app: Harness
afterEach(() => app.stop())

const MINUTE = 60_000
const start = async (options: HarnessOptions = {}) => {
  app = await oauthApp(options)
}
const status = async (token: string | Promise<string>) => (await app.get(await token)).status

/** Waits until something that runs in the background has ended. */
async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise((resolve) => setTimeout(resolve, 5))
}

const never = (message: string): never => {
  throw new Error(message)
}

/** How a key set can fail to come. */
const OUTAGES: Record<string, (response: ServerResponse) => void> = {
  reset: (response) => void response.socket?.destroy(),
  'status 500': (response) => void response.writeHead(500).end('{"keys":[]}'),
  'status 404': (response) => void response.writeHead(404).end(),
  'a redirect': (response) => void response.writeHead(302, { location: '/elsewhere' }).end(),
  HTML: (response) => void response.writeHead(200, { 'content-type': 'text/html' }).end('<html>login</html>'),
  'an empty body': (response) => void response.writeHead(200).end(),
  'an empty set': (response) => void response.end('{"keys":[]}'),
  'no set': (response) => void response.end('{}'),
  'a body that is cut': (response) => {
    response.writeHead(200, { 'content-length': '1000' })
    response.write('{"keys":[')
    setImmediate(() => response.socket?.destroy())
  },
  'a huge body': (response) => void response.end(`{"keys":[],"x":"${'a'.repeat(256 * 1024)}"}`),
  'too many keys': (response) => void response.end(JSON.stringify({ keys: Array(101).fill(app.key.jwk) })),
  'a compressed body': (response) => void response.writeHead(200, { 'content-encoding': 'gzip' }).end('x'),
  'only weak keys': (response) => void response.end(JSON.stringify({ keys: [{ ...app.key.jwk, use: 'enc' }] })),
}

const cut = (outage: (response: ServerResponse) => void) =>
  app.issuer.answer('/jwks', (_request, response) => outage(response))

describe('an outage of the key set', () => {
  test.each(Object.keys(OUTAGES))(
    '[oauth-jwks-outages] %s: cold it is 503 with Retry-After and no challenge, warm no client notices',
    async (name) => {
      await start()
      cut(OUTAGES[name] as (response: ServerResponse) => void)
      const cold = await app.get(await app.token())
      expect([cold.status, app.last()]).toEqual([503, 'keys'])
      expect(cold.headers.get('retry-after')).toMatch(/^[1-9]\d*$/)
      expect(cold.headers.get('www-authenticate')).toBeNull()
      expect(cold.json).toEqual({ type: 'about:blank', title: 'Service Unavailable', status: 503 })

      // Back: the next one in is served.
      app.issuer.answer('/jwks', undefined)
      app.clock.advance(1000)
      expect(await status(app.token())).toBe(200)
      const told = app.events.filter(({ type }) => type.startsWith('oauth.keys.'))
      expect(told.map(({ type, attributes }) => [type, attributes?.issuer])).toEqual([
        ['oauth.keys.unavailable', app.issuer.url],
        ['oauth.keys.recovered', app.issuer.url],
      ])

      cut(OUTAGES[name] as (response: ServerResponse) => void)
      app.clock.advance(11 * MINUTE)
      expect(await status(app.token())).toBe(200)
      expect(await status(app.token())).toBe(200)
    },
  )

  test('[oauth-jwks-outages] hung: cold it is 503 after 3 s; warm a known key answers while the fetch hangs', async () => {
    await start()
    app.issuer.answer('/jwks', () => undefined)
    const startedAt = performance.now()
    expect(await status(app.token())).toBe(503)
    expect(performance.now() - startedAt).toBeGreaterThan(2900)
    expect(performance.now() - startedAt).toBeLessThan(8000)

    app.issuer.answer('/jwks', undefined)
    app.clock.advance(1000)
    expect(await status(app.token())).toBe(200)
    let isOpen = true
    app.issuer.answer('/jwks', (_request, response) => {
      response.on('close', () => {
        isOpen = false
      })
    })
    // Refreshed ahead: the fetch hangs, and who comes meanwhile does not wait for its end.
    app.clock.advance(9 * MINUTE)
    expect(await status(app.token())).toBe(200)
    await until(() => app.issuer.fetches() === 3)
    expect(await status(app.token())).toBe(200)
    expect(app.issuer.fetches()).toBe(3)
    expect(isOpen).toBe(true)
  })

  test('[oauth-jwks-outages] hung after an idle time: one request with a known key waits a moment, not 3 s', async () => {
    await start({ cache: false })
    expect(await status(app.token())).toBe(200)
    let isOpen = false
    app.issuer.answer('/jwks', (_request, response) => {
      isOpen = true
      response.on('close', () => {
        isOpen = false
      })
    })
    app.clock.advance(20 * MINUTE)
    const tokens = await Promise.all(Array.from({ length: 10 }, () => app.token()))
    // The fetch is still under way when all have been answered.
    expect(await Promise.all(tokens.map((token) => status(token)))).toEqual(Array(10).fill(200))
    expect(isOpen).toBe(true)
    expect(app.issuer.fetches()).toBe(2)
  })

  test('[oauth-jwks-outages] the 3 s include a slow body', async () => {
    await start()
    let timer: NodeJS.Timeout | undefined
    cut((response) => {
      response.writeHead(200, { 'content-type': 'application/json' })
      response.write('{"keys":[')
      timer = setInterval(() => response.write(' '), 100)
    })
    const startedAt = performance.now()
    expect(await status(app.token())).toBe(503)
    expect(performance.now() - startedAt).toBeLessThan(8000)
    clearInterval(timer)
  })

  test('[oauth-jwks-outages] connections refused from the start: 503', async () => {
    await start()
    await app.issuer.close()
    expect(await status(app.token())).toBe(503)
    expect(app.last()).toBe('keys')
    const told = app.events.find(({ type }) => type === 'oauth.keys.unavailable')
    expect(told?.attributes).toEqual({
      issuer: app.issuer.url,
      failure: 'connection ECONNREFUSED',
      stale_keys_used: false,
    })
    app.issuer.close = async () => undefined
  })

  test('[oauth-jwks-outages] known keys are used for an hour after they were fresh, and not longer', async () => {
    await start({ cache: false })
    expect(await status(app.token())).toBe(200)
    cut(OUTAGES.reset as (response: ServerResponse) => void)
    app.clock.advance(10 * MINUTE + 60 * MINUTE - 1)
    expect(await status(app.token())).toBe(200)
    app.clock.advance(1)
    expect(await status(app.token())).toBe(503)
    expect(app.last()).toBe('keys')
    app.issuer.answer('/jwks', undefined)
    app.clock.advance(30_000)
    expect(await status(app.token())).toBe(200)
  })

  test('[oauth-jwks-outages] after that a cached verdict does not count either', async () => {
    await start()
    const now = Math.floor(app.clock.now() / 1000)
    const token = await app.token({ claims: { exp: now + 86_400 } })
    expect(await status(token)).toBe(200)
    cut(OUTAGES.reset as (response: ServerResponse) => void)
    app.clock.advance(70 * MINUTE - 1)
    expect(await status(token)).toBe(200)
    app.clock.advance(1)
    expect(await status(token)).toBe(503)
  })

  test('[oauth-five-minute-outage] for 5 minutes a known client sees no failure, and the issuer is asked rarely', async () => {
    await start()
    const known = await app.token({ claims: { exp: Math.floor(app.clock.now() / 1000) + 3600 } })
    app.issuer.jwksHeaders = { 'cache-control': 'max-age=60' }
    expect(await status(known)).toBe(200)
    cut(OUTAGES['status 500'] as (response: ServerResponse) => void)
    const before = app.issuer.fetches()
    for (let second = 0; second < 300; second += 1) {
      app.clock.advance(1000)
      expect(await status(known)).toBe(200)
      if (second % 10 === 0) expect(await status(app.token())).toBe(200)
    }
    // At 48 s, then after 1, 2, 4, 8, 16 and 30 s, and 30 s on: each up to a fifth sooner.
    expect(app.issuer.fetches() - before).toBeLessThanOrEqual(16)
    expect(app.issuer.fetches() - before).toBeGreaterThanOrEqual(8)
    expect(app.events.filter(({ type }) => type === 'oauth.keys.unavailable')).toHaveLength(1)
  }, 30_000)

  test.each<[string, KeyCache]>([
    ['throws', { load: () => never('no cache'), save: () => never('no cache') }],
    ['rejects', { load: async () => never('no cache'), save: async () => never('no cache') }],
    ['holds something else', { load: async () => ({ jwks: null }) as never, save: async () => undefined }],
  ])('a key cache of the app that %s is not an outage', async (_name, keyCache) => {
    await start({ keyCache })
    expect(await status(app.token())).toBe(200)
  })

  test('in an outage each request is answered immediately, and the issuer is asked again as its circuit allows', async () => {
    await start()
    cut(OUTAGES['status 500'] as (response: ServerResponse) => void)
    for (let round = 0; round < 20; round += 1) expect(await status(app.token())).toBe(503)
    expect(app.issuer.fetches()).toBe(1)
    app.clock.advance(1000)
    for (let round = 0; round < 20; round += 1) expect(await status(app.token())).toBe(503)
    expect(app.issuer.fetches()).toBe(2)
  })
})
