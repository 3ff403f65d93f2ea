import { request as httpRequest } from 'node:http'
import { requireSettingsSession } from '@countersign/settings-session'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import express from 'express'
import type { TestBrowser } from './browser.js'
import { type Harness, settingsApp } from './harness.js'

const SESSION = '__Host-countersign-settings'
const OPEN = '__Host-countersign-settings-open'

let app: Harness
beforeAll(async () => {
  app = await settingsApp({ before: (host) => host.use(express.urlencoded({ extended: false })) })
})
afterAll(() => app.close())

async function signedIn(): Promise<TestBrowser> {
  const browser = app.browser()
  expect((await browser.confirm(await app.link())).status).toBe(303)
  return browser
}

describe('[settings-session-life] a session', () => {
  test('has a cookie that no script can read, no sibling host can set and no other site can send', async () => {
    const browser = app.browser()
    const answer = await browser.confirm(await app.link())
    for (const line of answer.headers.getSetCookie()) expect(line.length).toBeLessThan(300)
    expect(answer.headers.getSetCookie().map((line) => line.replace(/=s1[^;]*/, '=<token>'))).toEqual([
      `${SESSION}=<token>; Max-Age=3600; Path=/; HttpOnly; Secure; SameSite=Lax`,
      `${OPEN}=; Max-Age=0; Path=/; HttpOnly; Secure; SameSite=Lax`,
    ])
  })

  test('is never the one that a browser already had', async () => {
    const first = await signedIn()
    const fixed = first.cookies.get(SESSION) as string
    const victim = app.browser()
    victim.cookies.set(SESSION, fixed)
    await victim.confirm(await app.link({ userId: 'victim' }))
    expect(victim.cookies.get(SESSION)).not.toBe(fixed)
    const seen = (await (await first.send('/settings')).json()) as { principal: { userId: string } }
    expect(seen.principal.userId).toBe('u1')
  })

  test('that nobody has proven has one answer, as a page and as a problem: it does not tell what exists', async () => {
    const revoked = (await signedIn()).cookies.get(SESSION) as string
    await app.settings.revokeAll({ platform: 'telegram', userId: 'u1' })
    const living = (await signedIn()).cookies.get(SESSION) as string
    const wrongSecret = (token: string) => `${token.slice(0, token.lastIndexOf('.') + 1)}${'A'.repeat(43)}`
    const reasons: (string | undefined)[] = []
    for (const accept of ['text/html', 'application/json']) {
      const answers: string[] = []
      for (const token of ['x', `s1.0${'A'.repeat(16)}.${'A'.repeat(43)}`, wrongSecret(living), wrongSecret(revoked)]) {
        const answer = await app.browser().send('/settings', { headers: { accept, cookie: `${SESSION}=${token}` } })
        const headers = [...answer.headers].filter(([name]) => name !== 'date')
        // Each page has a nonce of its own for its style.
        const seen = JSON.stringify([answer.status, headers, await answer.text()])
        answers.push(seen.replaceAll(/nonce(-|=\\")[\w-]{22}/g, 'nonce'))
        reasons.push(app.last())
      }
      expect([accept, new Set(answers).size]).toEqual([accept, 1])
      expect(answers[0]).toMatch(/^\[401,/)
    }
    expect(new Set(reasons)).toEqual(new Set(['malformed', 'unknown']))
    expect((await app.browser().send('/settings', { headers: { cookie: `${SESSION}=${living}` } })).status).toBe(200)
  })

  test('ends after 15 minutes without use, and after an hour with use', async () => {
    const idle = await signedIn()
    app.clock.advance(15 * 60_000 - 1)
    expect((await idle.send('/settings')).status).toBe(200)
    app.clock.advance(15 * 60_000)
    expect((await idle.send('/settings')).status).toBe(401)
    expect(app.last()).toBe('idle')
    const busy = await signedIn()
    for (let minutes = 10; minutes < 60; minutes += 10) {
      app.clock.advance(10 * 60_000)
      expect((await busy.send('/settings')).status).toBe(200)
    }
    app.clock.advance(10 * 60_000)
    expect((await busy.send('/settings')).status).toBe(401)
    expect(app.last()).toBe('expired')
  })

  test('ends 15 minutes after its last use, however soon after another one that was', async () => {
    const browser = await signedIn()
    for (const [wait, status] of [
      [60_000, 200],
      [15 * 60_000 - 1, 200],
      [15 * 60_000, 401],
    ] as const) {
      app.clock.advance(wait)
      expect([wait, (await browser.send('/settings')).status]).toEqual([wait, status])
    }
  })

  test('shows nothing to a cache, unless a handler has another Cache-Control', async () => {
    const own = await settingsApp({
      before: (host, settings) =>
        host.get('/settings/logo', requireSettingsSession({ settings }), (_request, response) => {
          response.set('Cache-Control', 'private, max-age=60').json({})
        }),
      realTime: true,
    })
    const browser = own.browser()
    await browser.confirm(await own.link())
    expect((await browser.send('/settings')).headers.get('cache-control')).toBe('no-store')
    expect((await browser.send('/settings/logo')).headers.get('cache-control')).toBe('private, max-age=60')
    await own.close()
  })
})

describe('[settings-tossed] what a neighbour or a proxy adds', () => {
  test('two cookies of the name: neither counts, in either order', async () => {
    const browser = await signedIn()
    const good = browser.cookies.get(SESSION)
    for (const cookie of [`${SESSION}=${good}; ${SESSION}=tossed`, `${SESSION}=tossed; ${SESSION}=${good}`]) {
      expect((await browser.send('/settings', { headers: { cookie } })).status).toBe(401)
      expect(app.last()).toBe('malformed')
    }
  })

  test('a cookie of another name, without the prefix, does not count', async () => {
    const browser = await signedIn()
    const cookie = `countersign-settings=${browser.cookies.get(SESSION)}; x${SESSION}=${browser.cookies.get(SESSION)}`
    expect((await browser.send('/settings', { headers: { cookie } })).status).toBe(401)
    expect(app.last()).toBe('missing')
  })

  test('a name after a byte A0 is another name: a sibling host can set it', async () => {
    const browser = await signedIn()
    const tossed = `\u00a0${SESSION}=${browser.cookies.get(SESSION)}`
    expect((await app.browser().send('/settings', { headers: { cookie: tossed } })).status).toBe(401)
    expect(app.last()).toBe('missing')
    // Nor does it stand beside the good one.
    const cookie = `${tossed}; ${browser.cookie}`
    expect((await browser.send('/settings', { headers: { cookie } })).status).toBe(200)
  })

  test('two open cookies: neither counts, and the link is not spent', async () => {
    const link = await app.link()
    const browser = app.browser()
    const { action, fields } = await browser.form(await browser.open(link))
    const other = app.browser()
    await other.open(await app.link({ userId: 'thief' }))
    const cookie = `${OPEN}=${other.cookies.get(OPEN)}; ${browser.cookie}`
    expect((await browser.post(action, fields, { cookie })).status).toBe(401)
    expect((await browser.post(action, fields)).status).toBe(303)
  })

  test("another browser's confirm form opens nothing", async () => {
    const browser = app.browser()
    await browser.open(await app.link())
    const attacker = app.browser()
    const { action, fields } = await attacker.form(await attacker.open(await app.link({ userId: 'attacker' })))
    expect((await browser.post(action, fields)).status).toBe(403)
    expect(app.last()).toBe('cross_site')
  })

  test('Host and X-Forwarded-* change nothing: links, redirects and origins are those of baseUrl', async () => {
    const poison = {
      'x-forwarded-host': 'evil.example.com',
      'x-forwarded-proto': 'https',
      'x-forwarded-for': '203.0.113.1',
      forwarded: 'host=evil.example.com',
    }
    const link = new URL(await app.link())
    const answer = await new Promise<{ status: unknown; location: unknown; cookie: string[] | undefined }>(
      (resolve, reject) => {
        const options = { host: '127.0.0.1', port: app.port, path: link.pathname + link.search }
        httpRequest({ ...options, headers: { ...poison, host: 'evil.example.com' } }, (response) => {
          response.resume()
          resolve({
            status: response.statusCode,
            location: response.headers.location,
            cookie: response.headers['set-cookie'],
          })
        })
          .on('error', reject)
          .end()
      },
    )
    expect(answer.status).toBe(303)
    expect(answer.location).toBe('/settings/open')
    expect(answer.cookie?.join()).not.toMatch(/domain/i)
    const browser = app.browser()
    const { action, fields } = await browser.form(await browser.open(link))
    expect(action).toBe('/settings/open')
    const evil = { ...poison, origin: 'https://evil.example.com', 'sec-fetch-site': 'same-origin' }
    expect((await browser.post(action, fields, evil)).status).toBe(403)
    expect((await browser.post(action, fields)).status).toBe(303)
  })
})

describe('[settings-csrf] an unsafe request', () => {
  const cross = { origin: 'https://evil.example.com', 'sec-fetch-site': 'cross-site' }
  const sibling = { origin: 'https://blog.example.com', 'sec-fetch-site': 'same-site' }

  test.each([
    ['of another site', cross],
    ['of a sibling subdomain', sibling],
    ['of another site, without Sec-Fetch-Site', { origin: 'https://evil.example.com' }],
    ['of an opaque origin', { origin: 'null' }],
    ['of an opaque origin that says cross-site', { origin: 'null', 'sec-fetch-site': 'cross-site' }],
    ['with neither header', {}],
    ['that the browser began by itself', { 'sec-fetch-site': 'none' }],
    ['of two sites', { origin: 'https://evil.example.com', 'sec-fetch-site': 'same-origin' }],
    ['of the other scheme', { origin: 'https://127.0.0.1' }],
  ] as const)('%s is refused on every unsafe route', async (_name, headers) => {
    const browser = await signedIn()
    const opening = app.browser()
    const link = await app.link()
    const { action } = await opening.form(await opening.open(link))
    const send = (from: TestBrowser, path: string, method: string) =>
      from.send(path, { method, headers: { ...headers }, body: new URLSearchParams({ a: '1' }) })
    for (const [from, path, method] of [
      [browser, '/settings/profile', 'POST'],
      [browser, '/settings/profile', 'PUT'],
      [browser, '/settings/profile', 'PATCH'],
      [browser, '/settings/profile', 'DELETE'],
      [browser, '/settings/logout', 'POST'],
      [opening, action, 'POST'],
    ] as const) {
      expect(`${path} ${(await send(from, path, method)).status}`).toBe(`${path} 403`)
      expect(app.last()).toBe('cross_site')
    }
    expect((await browser.send('/settings')).status).toBe(200)
    expect((await opening.confirm(link)).status).toBe(303)
  })

  test('is granted from our own origin, with either header', async () => {
    const browser = await signedIn()
    for (const headers of [
      { 'sec-fetch-site': 'same-origin', origin: app.url },
      { 'sec-fetch-site': 'same-origin' },
      { origin: app.url },
    ]) {
      expect((await browser.send('/settings/profile', { method: 'POST', headers: headers as never })).status).toBe(200)
    }
  })

  test("is granted with the session's token where the headers say nothing, and only with that one", async () => {
    const browser = await signedIn()
    const { csrf } = (await (await browser.send('/settings')).json()) as { csrf: string }
    const other = await signedIn()
    const foreign = ((await (await other.send('/settings')).json()) as { csrf: string }).csrf
    const send = (headers: Record<string, string>, body: URLSearchParams | null = null) =>
      browser.send('/settings/profile', { method: 'POST', headers, body })
    for (const headers of [{}, { origin: 'null' }, { 'sec-fetch-site': 'none' }] as Record<string, string>[]) {
      expect((await send({ ...headers, 'x-csrf-token': csrf })).status).toBe(200)
      expect((await send(headers, new URLSearchParams({ _csrf: csrf }))).status).toBe(200)
      expect((await send({ ...headers, 'x-csrf-token': foreign })).status).toBe(403)
    }
    expect((await send({ ...cross, 'x-csrf-token': csrf })).status).toBe(403)
    expect((await send({ origin: 'null', 'x-csrf-token': `${csrf},${csrf}` })).status).toBe(403)
  })

  test('with JSON under text/plain is refused, even from our own origin', async () => {
    const browser = await signedIn()
    const headers = { origin: app.url, 'sec-fetch-site': 'same-origin', 'content-type': 'text/plain' }
    for (const path of ['/settings/logout', '/settings/open']) {
      expect((await browser.send(path, { method: 'POST', headers, body: '{"a":1}' })).status).toBe(403)
      expect(app.last()).toBe('cross_site')
    }
    // What `fetch` makes of a string: the developer is told, and it is no attack.
    const accept = 'application/json'
    const answer = await browser.send('/settings/api', { method: 'POST', headers: { ...headers, accept }, body: '{}' })
    expect([answer.status, app.last(), app.events.at(-1)?.severity]).toEqual([415, 'unsupported_body', 'warning'])
    expect(((await answer.json()) as { detail: string }).detail).toMatch(/Content-Type: application\/json/)
    const foreign = { ...headers, 'sec-fetch-site': 'cross-site' }
    expect((await browser.send('/settings/api', { method: 'POST', headers: foreign, body: '{}' })).status).toBe(403)
  })

  test('must be application/json where the gate requires JSON', async () => {
    const strict = await settingsApp({ gate: { requireJson: true } })
    const browser = strict.browser()
    await browser.confirm(await strict.link())
    const send = (type: string, body: string) =>
      browser.send('/settings/api', {
        method: 'POST',
        headers: { origin: strict.url, 'content-type': type },
        body,
      })
    expect((await send('application/json', '{}')).status).toBe(200)
    expect((await send('application/x-www-form-urlencoded', 'a=1')).status).toBe(415)
    expect((await send('multipart/form-data; boundary=x', '--x--')).status).toBe(415)
    expect(strict.last()).toBe('unsupported_body')
    const bare = (body?: Uint8Array<ArrayBuffer>) =>
      browser.send('/settings/api', { method: 'POST', headers: { origin: strict.url }, body: body ?? null })
    expect((await bare(Buffer.from('{}'))).status).toBe(415)
    expect((await bare()).status).toBe(200)
    await strict.close()
  })

  test('safe methods need no origin', async () => {
    const browser = await signedIn()
    expect((await browser.send('/settings', { headers: cross })).status).toBe(200)
    expect((await browser.send('/settings', { method: 'HEAD', headers: cross })).status).toBe(200)
  })
})

test('signing out expires our own cookies and no others', async () => {
  const browser = await signedIn()
  const answer = await browser.post('/settings/logout')
  expect(answer.headers.getSetCookie().every((line) => line.includes('__Host-countersign-settings'))).toBe(true)
  expect(answer.headers.get('clear-site-data')).toBeNull()
  expect(await answer.text()).toContain('You are signed out')
  const again = await browser.post('/settings/logout', {}, { accept: 'application/json' })
  expect(again.status).toBe(204)
})

test('a gate refuses a session whose sign-in is older than maxAuthAgeSeconds', async () => {
  const fresh = await settingsApp({ gate: { maxAuthAgeSeconds: 300 } })
  const browser = fresh.browser()
  await browser.confirm(await fresh.link())
  fresh.clock.advance(5 * 60_000)
  expect((await browser.send('/settings')).status).toBe(200)
  fresh.clock.advance(1)
  const stale = await browser.send('/settings', { headers: { accept: 'application/json' } })
  expect(stale.status).toBe(403)
  expect(await stale.json()).toEqual({
    type: 'about:blank',
    title: 'Forbidden',
    status: 403,
    error: 'reauthentication_required',
    detail: 'Sign in again to do this',
  })
  await fresh.close()
  await expect(settingsApp({ gate: { maxAuthAgeSeconds: '5m' as never } })).rejects.toThrow('"maxAuthAgeSeconds"')
})
