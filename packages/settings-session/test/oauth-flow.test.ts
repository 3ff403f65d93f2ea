import { createHmac } from 'node:crypto'
import { type FirstClaimRequest, type Mismatch, memorySessions } from '@countersign/settings-session'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { type Harness, type HarnessOptions, settingsApp } from './harness.js'
import { openWithSignIn, type RunningProvider, signInAgain, signInAt, startProvider } from './support/provider.js'
import { until } from './support/until.js'

const SESSION = '__Host-countersign-settings'

function initDataOf(user: string, botToken: string): string {
  const date = String(Math.floor(Date.now() / 1000))
  const key = createHmac('sha256', 'WebAppData').update(botToken).digest()
  const hash = createHmac('sha256', key).update(`auth_date=${date}\nuser=${user}`).digest('hex')
  return new URLSearchParams({ auth_date: date, user, hash }).toString()
}

let provider: RunningProvider
const apps: Harness[] = []
beforeAll(async () => {
  provider = await startProvider()
}, 60_000)
afterAll(async () => {
  await Promise.all(apps.map((app) => app.close()))
  await provider?.app.stop()
})

async function start(options: HarnessOptions = {}): Promise<Harness> {
  const app = await settingsApp({ oauth: provider.oauth, realTime: true, firstClaim: 'trust-link', ...options })
  apps.push(app)
  return app
}

const principalOf = async (response: Response) => ((await response.json()) as { principal: object }).principal

test('a link, a sign-in, and the settings; the identity stays bound', async () => {
  const app = await start()
  const person = app.browser()
  const page = await person.confirm(await app.link())
  expect(page.status).toBe(200)
  expect(await page.text()).toContain('http-equiv="refresh" content="0;url=/settings/oauth/start"')
  const awaiting = person.cookies.get(SESSION)
  expect((await person.send('/settings', { headers: { accept: '*/*' } })).status).toBe(403)
  expect(app.last()).toBe('awaiting_identity')
  const answer = await signInAgain(person, 'alice')
  expect([answer.status, answer.headers.get('location')]).toEqual([303, '/settings'])
  expect(person.cookies.get(SESSION)).not.toBe(awaiting)
  expect((await person.send('/settings', { headers: { cookie: `${SESSION}=${awaiting}` } })).status).toBe(401)
  expect(await principalOf(await person.send('/settings'))).toMatchObject({
    id: 'telegram:u1',
    identity: { issuer: provider.issuer, subject: 'alice' },
  })
  expect(await app.settings.identityOf({ platform: 'telegram', userId: 'u1' })).toEqual({
    issuer: provider.issuer,
    subject: 'alice',
  })
  const later = app.browser()
  expect((await openWithSignIn(later, await app.link(), 'alice')).status).toBe(303)
  const types = app.events.map(({ type }) => type)
  expect(types.filter((type) => type === 'settings.identity.claimed')).toHaveLength(1)
  expect(types.filter((type) => type === 'settings.session.opened')).toHaveLength(2)
})

test('[settings-identity] a stolen link opens nothing for a fresh account, and the user is warned', async () => {
  const warnings: Mismatch[] = []
  const app = await start({
    onMismatch: (mismatch) => {
      warnings.push(mismatch)
      throw new Error('the chat is down')
    },
  })
  await openWithSignIn(app.browser(), await app.link(), 'owner')
  const stolen = await app.link()
  const thief = app.browser()
  const answer = await openWithSignIn(thief, stolen, 'fresh-account')
  expect(answer.status).toBe(403)
  const text = await answer.text()
  expect(text).toContain('This link is not for this account')
  expect(text).not.toContain('u1')
  expect(text).not.toContain('owner')
  expect(thief.cookies.has(SESSION)).toBe(false)
  expect((await thief.send('/settings')).status).toBe(401)
  expect((await app.browser().open(stolen)).status).toBe(401)
  expect(warnings).toEqual([
    {
      principal: expect.objectContaining({ id: 'telegram:u1' }),
      identity: { issuer: provider.issuer, subject: 'fresh-account' },
    },
  ])
  const mismatches = app.events.filter(({ type }) => type === 'settings.identity.mismatch')
  expect(mismatches.map(({ outcome }) => outcome)).toEqual(['failure', 'error'])
  expect(await app.settings.identityOf({ platform: 'telegram', userId: 'u1' })).toMatchObject({ subject: 'owner' })
})

test("another user's identity is refused", async () => {
  const app = await start()
  await openWithSignIn(app.browser(), await app.link({ userId: 'a' }), 'shared')
  expect((await openWithSignIn(app.browser(), await app.link({ userId: 'b' }), 'shared')).status).toBe(403)
  expect(await app.settings.identityOf({ platform: 'telegram', userId: 'b' })).toBeUndefined()
})

test('[settings-session-life] signing in again renews the session, under a new secret', async () => {
  const app = await start({ gate: { maxAuthAgeSeconds: 1 } })
  const person = app.browser()
  await openWithSignIn(person, await app.link(), 'fresh')
  const stale = await until(
    () => person.send('/settings/danger'),
    ({ status }) => status !== 200,
  )
  expect(stale.status).toBe(403)
  const href = /<a class="button" href="([^"]+)"/.exec(await stale.text())?.[1] as string
  expect(href).toBe('/settings/oauth/start?returnTo=%2Fsettings%2Fdanger')
  const json = await person.send('/settings/danger', { headers: { accept: 'application/json' } })
  expect(await json.json()).toMatchObject({
    error: 'reauthentication_required',
    reauthenticate: '/settings/oauth/start',
  })
  const before = person.cookies.get(SESSION)
  const asked = await person.send(href)
  expect(new URL(asked.headers.get('location') as string).searchParams.get('prompt')).toBe('login')
  const answer = await signInAgain(person, 'fresh', href)
  expect([answer.status, answer.headers.get('location')]).toEqual([303, '/settings/danger'])
  expect(person.cookies.get(SESSION)).not.toBe(before)
  expect(app.events.filter(({ type }) => type === 'settings.session.opened')).toHaveLength(1)
  // As somebody else, it ends.
  expect((await signInAgain(person, 'somebody-else')).status).toBe(403)
  expect((await person.send('/settings')).status).toBe(401)
})

test('[settings-return-to] a returnTo that leads elsewhere is ignored', async () => {
  const app = await start()
  for (const place of [
    'https://evil.example.com/',
    '//evil.example.com',
    '/\\evil.example.com',
    '/settings/../admin',
  ]) {
    const person = app.browser()
    await person.confirm(await app.link())
    const query = `?returnTo=${encodeURIComponent(place)}`
    const answer = await signInAgain(person, 'alice', `/settings/oauth/start${query}`)
    expect(answer.headers.get('location')).toBe('/settings')
    const again = await signInAgain(person, 'alice', `/settings/oauth/start${query}`)
    expect(again.headers.get('location')).toBe('/settings')
  }
})

test('[settings-identity] a stolen link that is opened where no sign-in is required, on the same store, opens nothing where one is', async () => {
  const store = memorySessions()
  const app = await start({ store })
  const careless = await settingsApp({ store, realTime: true, cookieName: 'other' })
  apps.push(careless)
  const link = new URL(await app.link())
  const thief = careless.browser()
  expect((await thief.confirm(`/settings${link.search}`)).status).toBe(303)
  const stolen = thief.cookies.get('__Host-other') as string
  const browser = app.browser()
  browser.cookies.set(SESSION, stolen)
  expect((await browser.send('/settings')).status).toBe(403)
  expect(app.last()).toBe('awaiting_identity')
  // The sign-in that is missing can be made up for.
  expect((await signInAgain(browser, 'alice')).status).toBe(303)
  expect(await principalOf(await browser.send('/settings'))).toMatchObject({ identity: { subject: 'alice' } })
})

describe('who may be the first', () => {
  test('must be chosen, or the app does not start', async () => {
    await expect(start({ firstClaim: undefined })).rejects.toMatchObject({
      code: 'ERR_COUNTERSIGN_OPTION_MISSING',
      option: 'firstClaim',
      message: expect.stringMatching(/confirmCode: true.*onFirstClaim.*'deny'/s),
    })
    await expect(start({ firstClaim: 'ask' })).rejects.toMatchObject({ option: 'onFirstClaim' })
    await start({ firstClaim: undefined, confirmCode: true })
  })

  test("'deny': nobody, until the app has bound the user", async () => {
    const app = await start({ firstClaim: 'deny' })
    expect((await openWithSignIn(app.browser(), await app.link(), 'alice')).status).toBe(403)
    expect(app.last()).toBe('identity_mismatch')
    const user = { platform: 'telegram', userId: 'u1' }
    expect(await app.settings.rebind(user, { issuer: provider.issuer, subject: 'alice' })).toBe('bound')
    expect((await openWithSignIn(app.browser(), await app.link(), 'alice')).status).toBe(303)
    expect(await app.settings.unlink(user)).toBe(true)
    expect(await app.settings.unlink(user)).toBe(false)
    expect(app.events.filter(({ type }) => type === 'settings.identity.unlinked')).toHaveLength(1)
  })

  test("'ask': whom the app allows immediately, and not whom it denies", async () => {
    const asked: FirstClaimRequest[] = []
    const app = await start({
      firstClaim: undefined,
      onFirstClaim: async (request) => {
        asked.push(request)
        return request.identity.subject === 'alice'
      },
    })
    const stolen = await app.link()
    expect((await openWithSignIn(app.browser(), stolen, 'mallory')).status).toBe(403)
    // Nor may the user be asked again and again.
    expect((await app.browser().open(stolen)).status).toBe(401)
    expect(app.last()).toBe('spent')
    expect((await openWithSignIn(app.browser(), await app.link(), 'alice')).status).toBe(303)
    expect(asked.map(({ identity, provider: name }) => [identity.subject, name])).toEqual([
      ['mallory', 'Example ID'],
      ['alice', 'Example ID'],
    ])
  })

  test("'ask': the page waits until the user has answered in the chat", async () => {
    let claimId = ''
    const app = await start({
      firstClaim: undefined,
      onFirstClaim: (request) => {
        claimId = request.claimId
        return undefined
      },
    })
    const person = app.browser()
    const answer = await openWithSignIn(person, await app.link(), 'alice')
    expect(answer.headers.get('location')).toBe('/settings/waiting')
    const waiting = await person.send('/settings/waiting')
    expect(waiting.status).toBe(200)
    const text = await waiting.text()
    expect(text).toContain('href="/settings/waiting" data-seconds="3"')
    expect(text).not.toContain('http-equiv="refresh"')
    // What the page asks by itself; only its navigation takes the answer.
    const ask = async () => (await person.send('/settings/waiting', { headers: { accept: 'application/json' } })).json()
    expect(await ask()).toEqual({ waiting: true })
    expect((await person.send('/settings')).status).toBe(403)
    expect(await app.settings.answerFirstClaim('no-such-claim', true)).toBe(false)
    expect(await app.settings.answerFirstClaim(claimId, true)).toBe(true)
    expect(await ask()).toEqual({ waiting: false })
    expect((await person.send('/settings')).status).toBe(403)
    expect((await person.send('/settings/waiting')).status).toBe(303)
    expect(await principalOf(await person.send('/settings'))).toMatchObject({ identity: { subject: 'alice' } })

    const other = app.browser()
    await openWithSignIn(other, await app.link({ userId: 'u2' }), 'mallory')
    expect(await app.settings.answerFirstClaim(claimId, false)).toBe(true)
    expect((await other.send('/settings/waiting')).status).toBe(403)
    expect((await other.send('/settings')).status).toBe(401)
  })
})

test("[settings-identity] a yes to one person's claim is not a yes to another's who came after, in the same session", async () => {
  const asked: FirstClaimRequest[] = []
  const app = await start({
    firstClaim: undefined,
    onFirstClaim: (request) => {
      asked.push(request)
      return undefined
    },
  })
  const thief = app.browser()
  await openWithSignIn(thief, await app.link(), 'alice')
  expect((await signInAgain(thief, 'mallory')).status).toBe(303)
  const [alice, mallory] = asked.map(({ claimId }) => claimId) as [string, string]
  expect(await app.settings.answerFirstClaim(alice, true)).toBe(false)
  expect((await thief.send('/settings/waiting')).status).toBe(200)
  expect(await app.settings.identityOf({ platform: 'telegram', userId: 'u1' })).toBeUndefined()
  expect(await app.settings.answerFirstClaim(mallory, false)).toBe(true)
  expect((await thief.send('/settings/waiting')).status).toBe(403)
})

test('a user whom Telegram vouches for signs in too, and may be first without being asked about', async () => {
  const botToken = '7342037359:AAHI25ES9xCOMPokpYoz-p8XVrZUdygo2J4'
  const app = await start({ firstClaim: 'deny', telegram: { botToken } })
  const person = app.browser()
  const answer = await person.send('/settings/telegram', {
    method: 'POST',
    headers: { origin: app.url, 'sec-fetch-site': 'same-origin', 'content-type': 'application/json' },
    body: JSON.stringify({ initData: initDataOf('{"id":42}', botToken) }),
  })
  expect(await answer.json()).toEqual({ goTo: '/settings/oauth/start' })
  expect((await person.send('/settings')).status).toBe(403)
  expect((await signInAgain(person, 'alice')).status).toBe(303)
  expect(await principalOf(await person.send('/settings'))).toMatchObject({
    id: 'telegram:42',
    identity: { subject: 'alice' },
  })
})

test.each([
  ['an outage of the app is 503', new Error('the app fails'), 503, 'on_open'],
  ['a bug of the app is 500', new TypeError('x is not a function'), 500, 'internal_error'],
] as const)('an onOpen that throws: %s, one event, and the session stays', async (_name, error, status, reason) => {
  const app = await settingsApp({
    onOpen: () => {
      throw error
    },
  })
  apps.push(app)
  const person = app.browser()
  expect((await person.confirm(await app.link())).status).toBe(status)
  expect(app.events.at(-1)).toMatchObject({ reason, attributes: { error: error.name, at: expect.any(String) } })
  expect(app.events.filter(({ type }) => type === 'access.unavailable')).toHaveLength(1)
  expect((await person.send('/settings')).status).toBe(200)
})

test('the page asks for the digits of the chat, so a forwarded link is not enough', async () => {
  const app = await start({ firstClaim: undefined, confirmCode: true })
  const link = await app.settings.issueLink({ platform: 'telegram', userId: 'u1' })
  let code = ''
  let url = ''
  await app.settings.deliver(link, (sensitive, digits) => {
    url = sensitive.reveal('deliver-to-user')
    code = digits as string
  })
  expect(code).toMatch(/^\d{6}$/)
  expect(JSON.stringify(link)).not.toContain(code)
  const wrong = code === '000000' ? '000001' : '000000'
  const stranger = app.browser()
  const page = await stranger.open(url)
  expect(await page.clone().text()).toContain('<label for="code">')
  const { action, fields } = await stranger.form(page)
  for (let guess = 0; guess < 3; guess += 1) {
    const refused = await stranger.post(action, { ...fields, code: wrong })
    expect(refused.status).toBe(403)
    expect(await refused.text()).toContain('role="alert"')
  }
  const person = app.browser()
  expect((await person.confirm(url, { code: ` ${code} ` })).status).toBe(200)
  expect((await signInAgain(person, 'alice')).status).toBe(303)
})

test('[settings-session-life] with a Strict cookie the way back from the provider leads through a page of our own', async () => {
  const app = await start({ sameSite: 'strict' })
  const person = app.browser()
  const confirmed = await person.confirm(await app.link({ returnTo: '/settings/x' }))
  expect(confirmed.headers.getSetCookie()[0]).toContain('SameSite=Strict')
  const asked = await person.send('/settings/oauth/start')
  const callback = await signInAt(asked.headers.get('location') as string, 'alice')
  // As a browser does after another site: the Strict cookie stays at home.
  const kept = person.cookies.get(SESSION)
  person.cookies.delete(SESSION)
  const answer = await person.send(callback)
  expect(answer.status).toBe(200)
  expect(await answer.text()).toContain('content="0;url=/settings/x"')
  expect(person.cookies.get(SESSION)).not.toBe(kept)
  expect((await person.send('/settings/x')).status).toBe(200)
})
