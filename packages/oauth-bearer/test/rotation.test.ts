import { afterEach, describe, expect, test } from '@jest/globals'
import { type Harness, oauthApp } from './harness.js'
import { type IssuerKey, makeKey } from './test-issuer.js'

let app: Harness
afterEach(() => app.stop())

const MINUTE = 60_000
const start = async () => {
  app = await oauthApp()
}
const status = async (token: string | Promise<string>) => (await app.get(await token)).status

/** Waits until something that runs in the background has ended. */
async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise((resolve) => setTimeout(resolve, 5))
}

const fail = (code: number) => app.issuer.answer('/jwks', (_request, response) => void response.writeHead(code).end())

describe('freshness', () => {
  test.each([
    [{}, 10],
    [{ 'cache-control': 'max-age=300' }, 5],
    [{ 'cache-control': 'public, max-age=1' }, 1],
    [{ 'cache-control': 'max-age=86400' }, 60],
    [{ 'cache-control': 'no-store' }, 1],
    [{ 'cache-control': 'max-age=300', age: '120' }, 3],
    [{ 'cache-control': 'max-age=soon' }, 10],
  ])(
    'with %j a set is fresh for %i min, and refreshed ahead of that without a request waiting',
    async (headers, minutes) => {
      await start()
      app.issuer.jwksHeaders = headers as Record<string, string>
      expect(await status(app.token())).toBe(200)
      app.clock.advance(minutes * MINUTE * 0.8 - 1)
      expect(await status(app.token())).toBe(200)
      expect(app.issuer.fetches()).toBe(1)
      app.clock.advance(1)
      expect(await status(app.token())).toBe(200)
      await until(() => app.issuer.fetches() === 2)
    },
  )

  test('concurrent requests to a cold gate wait for one fetch', async () => {
    await start()
    const tokens = await Promise.all(Array.from({ length: 50 }, () => app.token()))
    expect(await Promise.all(tokens.map((token) => status(token)))).toEqual(Array(50).fill(200))
    expect(app.issuer.fetches()).toBe(1)
  })

  test('the metadata is read once, and again if the key set is not at its URL', async () => {
    await start()
    expect(await status(app.token())).toBe(200)
    app.issuer.metadata = { jwks_uri: `${app.issuer.url}/moved` }
    app.issuer.answer('/moved', (_request, response) => void response.end(JSON.stringify({ keys: app.issuer.keys })))
    fail(404)
    app.clock.advance(10 * MINUTE)
    expect(await status(app.token())).toBe(200)
    app.clock.advance(MINUTE)
    expect(await status(app.token())).toBe(200)
    await until(() => app.issuer.requests.includes('/moved'))
  })
})

describe('rotation', () => {
  test('[oauth-rotation] a key that appears just after a fetch is found', async () => {
    await start()
    expect(await status(app.token())).toBe(200)
    const next = await makeKey('k2')
    app.issuer.keys = [app.key.jwk, next.jwk]
    expect(await status(app.token({}, next))).toBe(200)
    expect(app.issuer.fetches()).toBe(2)
    expect(await status(app.token())).toBe(200)
    expect(app.events.find(({ type }) => type === 'oauth.keys.rotated')?.attributes).toMatchObject({
      added: 1,
      removed: 0,
    })
  })

  test('[oauth-rotation] a key that is gone from a fresh set is not trusted any more, and neither is what it verified', async () => {
    await start()
    const now = Math.floor(app.clock.now() / 1000)
    const old = await app.token({ claims: { exp: now + 86_400 } })
    expect(await status(old)).toBe(200)
    const next = await makeKey('k2')
    app.issuer.keys = [next.jwk]
    expect(await status(app.token({}, next))).toBe(200)
    expect(await status(old)).toBe(401)
    expect(app.last()).toBe('unknown_key')
    // Even without another key to bring it to light: with the next refresh.
    app.issuer.keys = [app.key.jwk]
    app.clock.advance(10 * MINUTE)
    expect(await status(old)).toBe(200)
    app.issuer.keys = [next.jwk]
    app.clock.advance(10 * MINUTE)
    expect(await status(old)).toBe(401)
  })

  test('[oauth-rotation] another key under the same name is another key', async () => {
    await start()
    const now = Math.floor(app.clock.now() / 1000)
    const old = await app.token({ claims: { exp: now + 86_400 } })
    expect(await status(old)).toBe(200)
    const next = await makeKey('k1')
    app.issuer.keys = [next.jwk]
    app.clock.advance(10 * MINUTE)
    expect(await status(app.token({}, next))).toBe(200)
    expect(await status(old)).toBe(401)
    expect(app.last()).toBe('bad_signature')
  })

  test('[oauth-rotation] a key that is published during a fetch is found, and not remembered as missing', async () => {
    let begun = 0
    app = await oauthApp({
      routes: (routes, gate) =>
        routes.use((request, response, next) => {
          gate(request, response, next)
          // Decided, or waiting for the fetch.
          begun += 1
        }),
    })
    expect(await status(app.token())).toBe(200)
    const next = await makeKey('k2')
    let release = () => undefined as unknown
    app.issuer.answer('/jwks', (_request, response) => {
      const before = JSON.stringify({ keys: [app.key.jwk] })
      release = () => response.end(before)
      app.issuer.answer('/jwks', undefined)
    })
    const stranger = status(app.token({}, await makeKey('k9')))
    await until(() => app.issuer.fetches() === 2)
    app.issuer.keys = [app.key.jwk, next.jwk]
    const early = status(app.token({}, next))
    await until(() => begun === 3)
    release()
    expect([await stranger, await early]).toEqual([401, 200])
    expect(app.issuer.fetches()).toBe(3)
  })

  test('an unknown kid is 401 if the issuer says so, and 503 if it cannot be asked', async () => {
    await start()
    const stranger = await makeKey('k9')
    expect(await status(app.token({}, stranger))).toBe(401)
    expect(app.last()).toBe('unknown_key')
    // Its word counts for that moment: the key may be on its way.
    expect(await status(app.token({}, stranger))).toBe(401)
    expect(app.issuer.fetches()).toBe(2)
    fail(500)
    const other = await makeKey('k8')
    expect(await status(app.token({}, other))).toBe(503)
    expect(app.last()).toBe('keys')
    expect(await status(app.token())).toBe(200)
  })

  test('[oauth-rotation] a key that is published seconds after its first token is found then', async () => {
    await start()
    expect(await status(app.token())).toBe(200)
    const next = await makeKey('k2')
    const early = await app.token({}, next)
    expect(await status(early)).toBe(401)
    expect(app.last()).toBe('unknown_key')
    app.clock.advance(3000)
    app.issuer.keys = [app.key.jwk, next.jwk]
    expect(await status(early)).toBe(200)
  })

  test('[oauth-rotation] while the issuer may not be asked again for a late key the answer is 503, and 401 for one that never came', async () => {
    await start()
    expect(await status(app.token())).toBe(200)
    const late = await app.token({}, await makeKey('k2'))
    expect([await status(late), await status(late)]).toEqual([401, 401])
    for (let second = 0; second < 29; second += 1) {
      app.clock.advance(1000)
      const { status, headers } = await app.get(late)
      expect([status, headers.get('retry-after'), headers.get('www-authenticate')]).toEqual([
        503,
        `${29 - second}`,
        null,
      ])
    }
    app.clock.advance(1000)
    expect(await status(late)).toBe(401)
    const fetches = app.issuer.fetches()
    // It was not on its way: for 15 s nobody is asked, and who comes with a new key finds the issuer free to be asked.
    for (let second = 0; second < 14; second += 1) {
      app.clock.advance(1000)
      expect(await status(late)).toBe(401)
    }
    expect(app.issuer.fetches()).toBe(fetches)
    const next = await makeKey('k3')
    app.issuer.keys = [app.key.jwk, next.jwk]
    expect(await status(app.token({}, next))).toBe(200)
  })

  test('[oauth-rotation] a new key under an old name is asked for once before a token is refused', async () => {
    await start()
    expect(await status(app.token())).toBe(200)
    const next = await makeKey('k1')
    app.issuer.keys = [next.jwk]
    expect(await status(app.token({}, next))).toBe(200)
    expect(app.issuer.fetches()).toBe(2)
    // What the old one signed is forged now. The issuer says so once, and not for each forgery.
    for (let round = 0; round < 20; round += 1) expect(await status(app.token())).toBe(401)
    expect(app.last()).toBe('bad_signature')
    expect(app.issuer.fetches()).toBe(3)
    app.clock.advance(30_000)
    const other = await makeKey('k1', 'ES256')
    app.issuer.keys = [other.jwk]
    expect(await status(app.token({}, other))).toBe(200)
    expect(app.issuer.fetches()).toBe(4)
  })

  test('[oauth-rotation] forgeries under a known name are 401 beyond the limit, and 503 while the issuer cannot be asked', async () => {
    await start()
    expect(await status(app.token())).toBe(200)
    const forger = await makeKey('k1')
    const stranger = await makeKey('k9')
    expect([await status(app.token({}, stranger)), await status(app.token({}, stranger))]).toEqual([401, 401])
    expect(await status(app.token({}, forger))).toBe(401)
    expect(app.issuer.fetches()).toBe(3)
    app.clock.advance(30_000)
    fail(500)
    expect(await status(app.token({}, forger))).toBe(503)
    expect(await status(app.token())).toBe(200)
  })

  test('an issuer with many keys without a kid: those that fit are tried, as far as they cost no more than 16 usual ones', async () => {
    await start()
    const nameless = ({ jwk }: IssuerKey) => ({ ...jwk, kid: undefined })
    const keys = await Promise.all(Array.from({ length: 17 }, (_, index) => makeKey(`n${index}`, 'ES256')))
    app.issuer.keys = [nameless(app.key), ...keys.map(nameless)]
    const unnamed = { header: { kid: undefined } }
    const answers = []
    for (const key of keys) answers.push(await status(app.token(unnamed, key)))
    expect(answers).toEqual([...Array(16).fill(200), 401])
    expect(await status(app.token(unnamed))).toBe(200)
  })

  test('[oauth-rotation] an issuer whose keys have no kid can rotate, and forgeries do not make it work', async () => {
    await start()
    const nameless = (key: IssuerKey) => ({ ...key.jwk, kid: undefined })
    const unnamed = { header: { kid: undefined } }
    app.issuer.keys = [nameless(app.key)]
    const old = await app.token(unnamed)
    expect(await status(old)).toBe(200)
    const next = await makeKey('k2')
    app.issuer.keys = [nameless(next)]
    expect(await status(app.token(unnamed, next))).toBe(200)
    expect(await status(old)).toBe(401)
    expect(app.last()).toBe('bad_signature')
    const fetches = app.issuer.fetches()
    const forger = await makeKey('k3')
    for (let round = 0; round < 20; round += 1) {
      expect(await status(app.token(unnamed, forger))).toBe(401)
    }
    expect(app.issuer.fetches() - fetches).toBeLessThanOrEqual(1)
    expect(await status(app.token(unnamed, next))).toBe(200)
  })

  test('[oauth-rotation] while an issuer whose keys have no kid cannot say whether it has a new one, the answer is 503', async () => {
    await start()
    const nameless = (key: IssuerKey) => ({ ...key.jwk, kid: undefined })
    const unnamed = { header: { kid: undefined } }
    app.issuer.keys = [nameless(app.key)]
    expect(await status(app.token(unnamed))).toBe(200)
    const next = await makeKey('k2')
    app.issuer.keys = [nameless(next)]
    fail(500)
    const good = await app.token(unnamed, next)
    const outage = await app.get(good)
    expect([outage.status, app.last()]).toEqual([503, 'keys'])
    expect(outage.headers.get('www-authenticate')).toBeNull()
    // Its circuit is open: the issuer is not asked, so the key stays unknown.
    expect(await status(good)).toBe(503)
    expect(app.issuer.fetches()).toBe(2)
    app.issuer.answer('/jwks', undefined)
    app.clock.advance(1000)
    // The second question in 30 s is the last one: beyond it the key stays unknown, too.
    expect(await status(good)).toBe(200)
    const stranger = await makeKey('k3')
    const beyond = await app.get(await app.token(unnamed, stranger))
    expect(beyond.status).toBe(503)
    expect(Number(beyond.headers.get('retry-after'))).toBeLessThanOrEqual(30)
    app.clock.advance(30_000)
    expect(await status(app.token(unnamed, stranger))).toBe(401)
    expect(app.last()).toBe('bad_signature')
  })

  test('a token without a kid is tried with the keys that could have signed it', async () => {
    await start()
    const next = await makeKey('k2')
    app.issuer.keys = [next.jwk, app.key.jwk]
    expect(await status(app.token({ header: { kid: undefined } }))).toBe(200)
    const ec = await makeKey('k3', 'ES256')
    expect(await status(app.token({ header: { kid: undefined } }, ec))).toBe(401)
  })
})
