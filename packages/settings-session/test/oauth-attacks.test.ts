import { memorySessions, settingsOAuthFromEnv } from '@countersign/settings-session'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals'
import type { TestBrowser } from './browser.js'
import { type Harness, type HarnessOptions, settingsApp } from './harness.js'
import { type HostileProvider, startHostileProvider } from './support/hostile-provider.js'

const SESSION = '__Host-countersign-settings'

let provider: HostileProvider
let app: Harness
const closing: { close(): Promise<void> }[] = []
beforeAll(async () => {
  provider = await startHostileProvider()
  app = await start()
})
beforeEach(() => {
  provider.claims = {}
  provider.responseIssuer = provider.url
  provider.overrides.clear()
})
afterAll(async () => {
  await Promise.all(closing.map((one) => one.close()))
  await provider.close()
})

async function start(options: HarnessOptions = {}): Promise<Harness> {
  const started = await settingsApp({ oauth: provider.oauth, firstClaim: 'trust-link', realTime: true, ...options })
  closing.push(started)
  return started
}

let users = 0
/** A browser that confirmed a link and went to the provider, and where the provider sends it back to. */
async function asked(
  from: Harness = app,
): Promise<{ browser: TestBrowser; url: string; callback: string; userId: string }> {
  const userId = `user${users++}`
  const browser = from.browser()
  await browser.confirm(await from.link({ userId }))
  const answer = await browser.send('/settings/oauth/start')
  const url = answer.headers.get('location') as string
  return { browser, url, callback: provider.answerTo(url), userId }
}

async function expectRefused(answer: Response, browser: TestBrowser, cause: string): Promise<string> {
  expect(answer.status).toBe(403)
  expect(app.events.at(-1)).toMatchObject({ reason: 'sign_in_failed', attributes: { cause } })
  expect((await browser.send('/settings')).status).not.toBe(200)
  return answer.text()
}

test('[settings-oauth] a right answer signs in, and no more is asked for than is needed', async () => {
  const { browser, callback, url } = await asked()
  const asks = Object.fromEntries(new URL(url).searchParams)
  expect(asks).toMatchObject({ scope: 'openid', response_type: 'code', code_challenge_method: 'S256' })
  expect(asks.redirect_uri).toBe(`${app.baseUrl}/oauth/callback`)
  expect([asks.state, asks.nonce, asks.code_challenge].map((part) => part?.length)).toEqual([43, 43, 43])
  expect((await browser.send(callback)).status).toBe(303)
  expect((await browser.send('/settings')).status).toBe(200)
  expect(provider.pkceFailures).toEqual([])
})

describe('[settings-oauth] the state', () => {
  test('that is missing is refused, and the right one is accepted afterwards', async () => {
    provider.claims = { sub: 'state1' }
    const { browser, callback } = await asked()
    const without = new URL(callback)
    without.searchParams.delete('state')
    await expectRefused(await browser.send(without), browser, 'state')
    expect((await browser.send(callback)).status).toBe(303)
  })

  test('that is wrong, duplicated or an object is refused', async () => {
    const { browser, callback } = await asked()
    const state = new URL(callback).searchParams.get('state') as string
    for (const query of [`state=x`, `state=${state}&state=${state}`, `state[a]=${state}`, 'state=']) {
      await expectRefused(await browser.send(`/settings/oauth/callback?code=x&${query}`), browser, 'state')
    }
  })

  test('that was used before is refused', async () => {
    provider.claims = { sub: 'state3' }
    const { browser, callback } = await asked()
    const { cookie } = browser
    expect((await browser.send(callback)).status).toBe(303)
    const stolen = app.browser()
    expect((await stolen.send(callback, { headers: { cookie } })).status).toBe(403)
    expect(app.events.at(-1)).toMatchObject({ attributes: { cause: 'replayed' } })
    expect((await stolen.send('/settings')).status).toBe(401)
  })

  test("that is another browser's is refused", async () => {
    const victim = await asked()
    const attacker = await asked()
    await expectRefused(await victim.browser.send(attacker.callback), victim.browser, 'state')
    await expectRefused(await app.browser().send(attacker.callback), victim.browser, 'state')
  })
})

describe('[settings-oauth] an id token', () => {
  test.each([
    ['of another issuer', { iss: 'https://evil.example.com' }],
    ['with another nonce', { nonce: 'x' }],
    ['without a nonce', { nonce: undefined }],
    ['for another client', { aud: 'somebody' }],
    ['for us and another client', { aud: ['settings', 'x'] }],
    ['without a subject', { sub: undefined }],
    ['with an empty subject', { sub: '' }],
    ['with a subject that is a number', { sub: 1 }],
    ['that has expired', { exp: 1 }],
  ])('%s is refused', async (_name, claims) => {
    const { browser, callback } = await asked()
    provider.claims = claims
    const answer = await browser.send(callback)
    expect(answer.status).toBe(403)
    expect(app.events.at(-1)).toMatchObject({
      reason: 'sign_in_failed',
      attributes: { cause: expect.any(String) },
    })
    expect((await browser.send('/settings')).status).toBe(403)
    expect(app.last()).toBe('awaiting_identity')
  })

  test('with a wrong signature is refused, although it comes from the token endpoint', async () => {
    const { browser, callback } = await asked()
    const { generateKeyPairSync } = await import('node:crypto')
    const other = generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey.export({ format: 'jwk' })
    const fresh = await start()
    const second = await asked(fresh)
    provider.overrides.set('/jwks', (_request, response) => {
      response.setHeader('content-type', 'application/json')
      response.end(JSON.stringify({ keys: [{ ...other, kid: 'k1', alg: 'RS256', use: 'sig' }] }))
    })
    expect((await second.browser.send(second.callback)).status).toBe(403)
    expect(fresh.last()).toBe('sign_in_failed')
    provider.overrides.clear()
    provider.claims = { sub: 'signature' }
    expect((await browser.send(callback)).status).toBe(303)
  })
})

describe('[settings-oauth] a mix-up', () => {
  test('an answer that names another issuer, or no issuer, is refused', async () => {
    for (const issuer of ['https://evil.example.com', undefined]) {
      provider.responseIssuer = issuer
      const { browser, callback } = await asked()
      expect((await browser.send(callback)).status).toBe(403)
      expect(app.last()).toBe('sign_in_failed')
    }
  })

  test('a sign-in begun at one provider cannot end at another', async () => {
    const other = await startHostileProvider()
    closing.push(other)
    const second = await start({ oauth: other.oauth, store: app.store })
    const { browser, callback } = await asked()
    const { cookie } = browser
    const answer = await second.browser().send(callback.replace(app.url, second.url), { headers: { cookie } })
    expect(answer.status).toBe(403)
    expect(second.events.at(-1)).toMatchObject({ attributes: { cause: 'state' } })
    provider.claims = { sub: 'mix-up' }
    expect((await browser.send(callback)).status).toBe(303)
  })
})

test("[settings-oauth] the provider's own words are on no page and in no event", async () => {
  const { browser, callback } = await asked()
  const refused = new URL(callback)
  refused.searchParams.delete('code')
  refused.searchParams.set('error', 'access_denied')
  refused.searchParams.set('error_description', '<script>alert(1)</script>')
  const text = await expectRefused(await browser.send(refused), browser, 'access_denied')
  expect(text).not.toContain('alert(1)')
  expect(text).toContain('<a class="button" href="/settings/oauth/start">Try again</a>')
  const { browser: other, callback: second } = await asked()
  const odd = new URL(second)
  odd.searchParams.delete('code')
  odd.searchParams.set('error', '"><img src=x onerror=alert(2)>')
  expect(await (await other.send(odd)).text()).not.toContain('alert(2)')
  expect(JSON.stringify(app.events)).not.toContain('alert(')
})

interface Begun {
  writeHead(status: number, headers: object): Begun
  write(text: string): unknown
  end(text: string): unknown
}
function begin(response: Begun): Begun {
  response.writeHead(200, { 'content-type': 'application/json' }).write('{"a')
  return response
}

describe('[settings-oauth] a provider that is', () => {
  test('down at the start is 503, the cookie is kept, and the sign-in works when the provider is back', async () => {
    const fresh = await start()
    const browser = fresh.browser()
    await browser.confirm(await fresh.link({ userId: 'dead' }))
    const cookie = browser.cookies.get(SESSION)
    provider.overrides.set('/.well-known/openid-configuration', (request) => void request.socket.destroy())
    const answer = await browser.send('/settings/oauth/start')
    expect([answer.status, answer.headers.get('retry-after'), answer.headers.getSetCookie()]).toEqual([503, '1', []])
    expect(fresh.last()).toBe('oauth_provider')
    expect(browser.cookies.get(SESSION)).toBe(cookie)
    provider.overrides.clear()
    expect((await browser.send('/settings/oauth/start')).status).toBe(302)
  })

  test.each([
    ['slow', () => undefined],
    [
      'failing',
      (_request: unknown, response: { statusCode: number; end(): void }) => {
        response.statusCode = 502
        response.end()
      },
    ],
    ['slow in the middle of its answer', (_request: unknown, response: Begun) => void begin(response)],
    ['too long', (_request: unknown, response: Begun) => void begin(response).end('x'.repeat(2 ** 21))],
    [
      'cut off in the middle of its answer',
      (request: { socket: { destroy(): void } }, response: Begun) => {
        begin(response)
        setImmediate(() => request.socket.destroy())
      },
    ],
    ['cut off', (request: { socket: { destroy(): void } }) => request.socket.destroy()],
  ] as const)('%s at the end is 503; the person can try again', async (_name, answerWith) => {
    provider.claims = { sub: `later-${_name}` }
    const { browser, callback } = await asked()
    provider.overrides.set('/token', answerWith as never)
    const answer = await browser.send(callback)
    expect(answer.status).toBe(503)
    expect(app.last()).toBe('oauth_provider')
    provider.overrides.clear()
    const again = await browser.send('/settings/oauth/start')
    expect((await browser.send(provider.answerTo(again.headers.get('location') as string))).status).toBe(303)
  })
})

test('[settings-oauth] metadata that names another issuer is not followed', async () => {
  const fresh = await start()
  provider.overrides.set('/.well-known/openid-configuration', (_request, response) => {
    response.setHeader('content-type', 'application/json')
    const { url } = provider
    const endpoints = { authorization_endpoint: `${url}/authorize`, token_endpoint: `${url}/token` }
    response.end(JSON.stringify({ issuer: 'https://evil.example.com', ...endpoints }))
  })
  const browser = fresh.browser()
  await browser.confirm(await fresh.link({ userId: 'metadata' }))
  expect((await browser.send('/settings/oauth/start')).status).toBe(503)
  expect(fresh.last()).toBe('oauth_provider')
})

test('a session has one sign-in in the store, however often it starts one', async () => {
  const small = await start({ store: memorySessions({ maxEntries: 3 }) })
  const { browser } = await asked(small)
  let answer = await browser.send('/settings/oauth/start')
  for (let count = 0; count < 5; count += 1) answer = await browser.send('/settings/oauth/start')
  expect(answer.status).toBe(302)
  expect((await browser.send(provider.answerTo(answer.headers.get('location') as string))).status).toBe(303)
})

test('a HEAD request takes no sign-in', async () => {
  provider.claims = { sub: 'head' }
  const { browser, callback } = await asked()
  expect((await browser.send(callback, { method: 'HEAD' })).status).toBe(405)
  expect((await browser.send(callback)).status).toBe(303)
})

test('a provider without discovery is asked at its endpoints, and its numeric id becomes the subject', async () => {
  const { url } = provider
  const oauth = settingsOAuthFromEnv({
    SETTINGS_OAUTH_AUTH_URL: `${url}/authorize`,
    SETTINGS_OAUTH_TOKEN_URL: `${url}/token`,
    SETTINGS_OAUTH_USERINFO_URL: `${url}/userinfo`,
    SETTINGS_OAUTH_SUBJECT_CLAIM: 'id',
    SETTINGS_OAUTH_CLIENT_ID: 'settings',
    SETTINGS_OAUTH_CLIENT_SECRET: 'a-secret-of-the-tests',
    SETTINGS_OAUTH_SCOPES: 'read:user',
  })
  const plain = await start({ oauth })
  provider.responseIssuer = undefined
  const { browser, callback, userId } = await asked(plain)
  expect((await browser.send(callback)).status).toBe(303)
  expect(await plain.settings.identityOf({ platform: 'telegram', userId })).toEqual({ issuer: url, subject: '4711' })
  provider.responseIssuer = 'https://evil.example.com'
  const wrong = await asked(plain)
  expect((await wrong.browser.send(wrong.callback)).status).toBe(403)
  provider.responseIssuer = undefined
  for (const body of [
    '{}',
    '[]',
    'null',
    '"x"',
    '{"id":""}',
    '{"id":{}}',
    '{"id":1.5}',
    'x',
    `{"id":"${'x'.repeat(70_000)}"}`,
  ]) {
    const odd = await asked(plain)
    provider.overrides.set('/userinfo', (_request, response) => void response.end(body))
    expect((await odd.browser.send(odd.callback)).status).toBe(403)
    expect(plain.last()).toBe('sign_in_failed')
  }
})
