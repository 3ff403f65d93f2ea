import { request as httpRequest } from 'node:http'
import { createSettingsSessions } from '@countersign/settings-session'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { type Harness, settingsApp } from './harness.js'

let app: Harness
beforeAll(async () => {
  app = await settingsApp()
})
afterAll(() => app.close())

const tokenOf = (link: string) => new URL(link).searchParams.get('s') as string

/** One request as it is written, not as a URL parser would have it. */
function raw(path: string, headers: Record<string, string | string[]> = {}, method = 'GET') {
  return new Promise<{ status: number; location: string | undefined; body: string }>((resolve, reject) => {
    const request = httpRequest(
      { host: '127.0.0.1', port: app.port, path, method, headers, agent: false },
      (response) => {
        let body = ''
        response.on('data', (chunk: Buffer) => {
          body += chunk.toString()
        })
        response.on('end', () =>
          resolve({ status: response.statusCode ?? 0, location: response.headers.location, body }),
        )
      },
    )
    request.on('error', reject).end()
  })
}

test('[settings-preview] robots fetch a link a hundred times, then the person opens it', async () => {
  const link = await app.link()
  const robots: readonly RequestInit[] = [
    { method: 'HEAD' },
    { headers: { 'user-agent': 'TelegramBot (like TwitterBot)' } },
    { headers: { 'user-agent': 'Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)' } },
    { headers: { 'sec-purpose': 'prefetch;prerender', purpose: 'prefetch' } },
    { headers: { accept: '*/*' } },
  ]
  for (let count = 0; count < 100; count += 1) {
    const robot = app.browser()
    const seen = await robot.send(link, robots[count % robots.length])
    expect(seen.status).toBe(303)
    // A robot that keeps cookies and follows the redirect comes to a page with a form, and posts nothing.
    const followed = await robot.send('/settings/open', robots[count % robots.length])
    expect(followed.status).toBe(200)
  }
  const person = app.browser()
  expect((await person.confirm(link)).status).toBe(303)
  expect((await person.send('/settings')).status).toBe(200)
})

describe('[settings-reuse] a link', () => {
  test('opens one session however many browsers post at once', async () => {
    const link = await app.link({ userId: 'many' })
    const browsers = await Promise.all(
      Array.from({ length: 200 }, async () => {
        const browser = app.browser()
        return { browser, form: await browser.form(await browser.open(link)) }
      }),
    )
    const answers = await Promise.all(browsers.map(({ browser, form }) => browser.post(form.action, form.fields)))
    expect(answers.filter(({ status }) => status === 303)).toHaveLength(1)
    expect(answers.filter(({ status }) => status === 401)).toHaveLength(199)
    expect(await app.settings.list({ platform: 'telegram', userId: 'many' })).toHaveLength(1)
  })

  test('posted 200 times at once by one browser opens one session', async () => {
    const link = await app.link({ userId: 'eager' })
    const browser = app.browser()
    const form = await browser.form(await browser.open(link))
    const { cookie } = browser
    const answers = await Promise.all(
      Array.from({ length: 200 }, () => browser.post(form.action, form.fields, { cookie })),
    )
    expect(answers.filter(({ status }) => status === 303)).toHaveLength(200)
    expect(new Set(answers.map(({ headers }) => headers.getSetCookie()[0]?.split(';')[0])).size).toBe(1)
    expect(await app.settings.list({ platform: 'telegram', userId: 'eager' })).toHaveLength(1)
    const reported = app.events.filter(
      ({ type, principal }) => type === 'settings.session.opened' && principal?.id === 'telegram:eager',
    )
    expect(reported).toHaveLength(200)
    expect(reported.filter(({ attributes }) => attributes?.repeated !== true)).toHaveLength(1)
    app.clock.advance(29_999)
    expect((await browser.post(form.action, form.fields, { cookie })).status).toBe(303)
    app.clock.advance(1)
    expect((await browser.post(form.action, form.fields, { cookie })).status).toBe(401)
    const stranger = app.browser()
    expect(
      (await stranger.post(form.action, form.fields, { cookie: cookie.replace(/-open=.*/, '-open=') })).status,
    ).toBe(401)
  })

  test('does not open again, by the same browser or another', async () => {
    const link = await app.link()
    const browser = app.browser()
    await browser.confirm(link)
    await browser.post('/settings/logout')
    expect((await browser.open(link)).status).toBe(401)
    expect(app.last()).toBe('spent')
    expect((await app.browser().open(link)).status).toBe(401)
  })
})

describe('[settings-wrong-place] tokens where they do not belong', () => {
  test('a link as the session cookie is malformed', async () => {
    const cookie = `__Host-countersign-settings=${tokenOf(await app.link())}`
    expect((await app.browser().send('/settings', { headers: { cookie } })).status).toBe(401)
    expect(app.last()).toBe('malformed')
  })

  test('a session cookie as a link is malformed', async () => {
    const browser = app.browser()
    await browser.confirm(await app.link())
    const session = browser.cookies.get('__Host-countersign-settings')
    expect((await app.browser().send(`/settings?s=${session}`)).status).toBe(401)
    expect(app.last()).toBe('malformed')
    const open = `__Host-countersign-settings-open=${session}.${'A'.repeat(43)}`
    expect((await app.browser().send('/settings/open', { headers: { cookie: open } })).status).toBe(401)
  })

  test('a link in the query of a route behind the gate is 400, with or without a session, and is not spent', async () => {
    const link = await app.link()
    for (const path of [`/settings/api?s=${tokenOf(link)}`, `/settings/api?x=1&token=${tokenOf(link)}`]) {
      expect((await app.browser().send(path)).status).toBe(400)
      expect(app.last()).toBe('link_in_wrong_place')
      const browser = app.browser()
      await browser.confirm(await app.link())
      expect((await browser.send(path, { headers: { accept: '*/*' } })).status).toBe(400)
    }
    expect((await app.browser().confirm(link)).status).toBe(303)
    expect((await app.browser().send('/settings/api?s=shoes')).status).toBe(401)
  })
})

describe('[settings-malformed] what is not a link', () => {
  const secret = 'A'.repeat(43)
  test.each([
    ['an array', `?s=l1.0${'A'.repeat(16)}.${secret}&s=l1.0${'A'.repeat(16)}.${secret}`],
    ['a NUL', `?s=l1.0${'A'.repeat(16)}.${'A'.repeat(42)}%00`],
    ['a newline', `?s=l1.0${'A'.repeat(16)}.${secret}%0a`],
    ['a wrong partition', `?s=l1.g${'A'.repeat(16)}.${secret}`],
    ['another version', `?s=l2.0${'A'.repeat(16)}.${secret}`],
    ['another type', `?s=s1.0${'A'.repeat(16)}.${secret}`],
    ['the token of a sign-in', `?s=r1.0${'A'.repeat(16)}.${secret}`],
    ['cut short', '?s=l1.0AAAA'],
    ['12 KB', `?s=l1.${'l'.repeat(12_000)}`],
    ['non-ASCII', `?s=l1.0${'A'.repeat(16)}.${'%C3%A9'.repeat(43)}`],
  ])('%s is refused', async (_name, query) => {
    const answer = await raw(`/settings${query}`)
    expect(answer.status).toBe(401)
    expect(app.last()).toBe('malformed')
    expect(answer.location).toBeUndefined()
  })

  test.each([
    ['empty', '?s=', 'missing'],
    ['a word', '?s=hello', 'missing'],
    ['a search for a library', '?s=d3.js', 'missing'],
    ['a search for a host', '?s=s3.amazonaws.com', 'missing'],
    ['a search for a machine', '?s=t2.micro', 'missing'],
    ['an object', '?s[a]=1&s=x', 'missing'],
    ['a prototype', '?s=__proto__', 'missing'],
    ['broken encoding', '?s=%E0%A4%A', 'missing'],
    ['12 KB', `?s=${'l'.repeat(12_000)}`, 'missing'],
    ['beside a link in brackets', `?s[]=l1.0${'A'.repeat(16)}.${secret}&s=`, 'link_in_wrong_place'],
  ])('%s is the app’s own, and comes to the gate', async (_name, query, reason) => {
    expect((await raw(`/settings${query}`)).status).toBe(reason === 'missing' ? 401 : 400)
    expect(app.last()).toBe(reason)
    const person = app.browser()
    await person.confirm(await app.link())
    expect((await person.send(`/settings${query}`)).status).toBe(reason === 'missing' ? 200 : 400)
  })

  test('a megabyte is refused before it is looked at, in the query and in the form', async () => {
    expect((await raw(`/settings?s=${'l'.repeat(1024 * 1024)}`).catch(() => ({ status: 431 }))).status).toBe(431)
    const browser = app.browser()
    const { action } = await browser.form(await browser.open(await app.link()))
    expect((await browser.post(action, { token: 'l'.repeat(1024 * 1024) })).status).toBe(403)
    expect((await browser.post(action, { 'token[a]': '1' })).status).toBe(403)
    expect((await browser.post(action, {})).status).toBe(403)
  })

  test.each([
    ['nothing', ''],
    ['a word', 'hello'],
    ['not ASCII', `s1.0${'A'.repeat(16)}.${'A'.repeat(42)}\u00e9`],
    ['a quoted token', `"s1.0${'A'.repeat(16)}.${secret}"`],
    ['too long a token', `s1.0${'A'.repeat(16)}.${secret}A`],
  ])('a session cookie that is %s is 401 with a challenge', async (_name, value) => {
    const headers = { cookie: `__Host-countersign-settings=${value}` }
    const answer = await raw('/settings', headers)
    expect(answer.status).toBe(401)
    expect(app.last()).toBe('malformed')
    expect(answer.body).toBe('{"type":"about:blank","title":"Unauthorized","status":401}')
  })
})

test('[settings-malformed] a wrong link request is refused with the name of the field, and nothing is stored', async () => {
  const issue = (request: unknown) => app.settings.issueLink(request as never)
  await expect(issue({ platform: 'x' })).rejects.toMatchObject({
    code: 'ERR_COUNTERSIGN_OPTION_INVALID',
    option: 'userId',
  })
  await expect(issue({ platform: '', userId: 'u' })).rejects.toMatchObject({ option: 'platform' })
  await expect(issue({ platform: 'x', userId: ['u'] })).rejects.toMatchObject({ option: 'userId' })
  await expect(issue({ platform: 'x', userId: 'u', team: '' })).rejects.toMatchObject({ option: 'team' })
  await expect(issue({ platform: 'x', userId: 'u', kind: 'nope' })).rejects.toMatchObject({ option: 'kind' })
  await expect(issue({ platform: 'x', userId: 'u', user: 1 })).rejects.toMatchObject({ option: 'user' })
  await expect(issue({ platform: 'x', userId: 'u\ud800' })).rejects.toMatchObject({ option: 'userId' })
  await expect(issue(null)).rejects.toMatchObject({ option: 'request' })
})

test('[settings-wrong-kind] a link for another part of the app is refused, and opens where it belongs', async () => {
  const other = createSettingsSessions({
    baseUrl: app.baseUrl,
    store: app.store,
    clock: app.clock,
    cookieName: 'integrations',
    kinds: { integration: (value) => value as { readonly integrationId: string } },
  })
  const issued = await other.issueLink({
    platform: 'slack',
    userId: 'u1',
    kind: 'integration',
    metadata: { integrationId: 'i1' },
  })
  const link = issued.url.reveal('deliver-to-user')
  expect((await app.browser().open(link)).status).toBe(403)
  expect(app.last()).toBe('wrong_kind')
  // Posting by a page that was shown before changes nothing either.
  expect(await app.store.peekLink({ tag: issued.receipt.linkId, hash: 'x' })).toMatchObject({ reason: 'unknown' })
  const { parseToken } = await import('../src/tokens.js')
  expect(await app.store.peekLink(parseToken('l', tokenOf(link)) as never)).toMatchObject({ outcome: 'open' })
})

test('[settings-wrong-kind] posting a link of another kind does not spend it', async () => {
  const kinds = { integration: (value: unknown) => value } as never
  const other = await settingsApp({ store: app.store, clock: app.clock, kinds })
  const issued = await other.settings.issueLink({
    platform: 'slack',
    userId: 'kind',
    kind: 'integration',
    metadata: { integrationId: 'i1' },
  } as never)
  const browser = other.browser()
  const { action, fields } = await browser.form(await browser.open(issued.url.reveal('deliver-to-user')))
  const wrong = app.browser()
  for (const [name, value] of browser.cookies) wrong.cookies.set(name, value)
  expect((await wrong.post(action, fields)).status).toBe(403)
  expect(app.last()).toBe('wrong_kind')
  expect((await browser.post(action, fields)).status).toBe(303)
  await other.close()
})

describe('[settings-return-to] returnTo', () => {
  test.each([
    'https://evil.example.com/',
    '//evil.example.com/settings',
    '/\\evil.example.com',
    '/settings/../admin',
    '/settings/%2e%2e/admin',
    '/settingsevil',
    '/admin',
    'settings',
    'javascript:alert(1)',
    '/settings/\u0000x',
    '/settings/\nx',
    '/settings\\x',
    '/settings/é',
    `/settings/${'x'.repeat(2000)}`,
  ])('%j is refused', async (returnTo) => {
    await expect(app.link({ returnTo })).rejects.toMatchObject({
      code: 'ERR_COUNTERSIGN_OPTION_INVALID',
      option: 'returnTo',
    })
  })

  test('below baseUrl is where the person is sent', async () => {
    const answer = await app.browser().confirm(await app.link({ returnTo: '/settings/billing?tab=2' }))
    expect(answer.headers.get('location')).toBe('/settings/billing?tab=2')
  })
})
