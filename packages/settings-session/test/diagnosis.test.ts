import type { AuditEvent } from '@countersign/core'
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals'
import { type Harness, type HarnessOptions, settingsApp } from './harness.js'
import { openWithSignIn, type RunningProvider, signInAgain, startProvider } from './support/provider.js'
import { memorySubject, redisSubject, type StoreSubject } from './support/store-subjects.js'
import { issue, newSessionToken, newUser, open, opened } from './support/store-world.js'

const SESSION = '__Host-countersign-settings'

let app: Harness
afterEach(() => app?.close())

const ofType = (type: AuditEvent['type']) => app.events.filter((event) => event.type === type)
/** Type, session or link, and attributes of the events since the last call. */
function news(...types: AuditEvent['type'][]) {
  const events = app.events.splice(0).filter(({ type }) => types.includes(type))
  return events.map(({ type, credential, attributes }) => [type, credential?.id, attributes?.cause])
}

describe.each([
  ['memory', memorySubject],
  ['Redis', redisSubject],
] as const)('in %s', (_name, start) => {
  let subject: StoreSubject
  beforeAll(async () => {
    subject = await start()
  }, 60_000)
  afterAll(() => subject?.close())

  test('a session that is ended by one too many is an event, with the session that ended it', async () => {
    app = await settingsApp({ store: subject.store, realTime: true, maxSessions: 2 })
    const user = { userId: newUser().userId }
    for (let count = 0; count < 4; count += 1) {
      expect((await app.browser().confirm(await app.link(user))).status).toBe(303)
      // Of two of one millisecond, either is the older one in memory.
      await subject.advance(2)
    }
    const [first, second, third, fourth] = ofType('settings.session.opened').map(({ credential }) => credential?.id)
    const revoked = ofType('settings.session.revoked')
    expect(revoked.map(({ credential, attributes }) => [credential?.id, attributes])).toEqual([
      [first, { cause: 'max_sessions', by: third }],
      [second, { cause: 'max_sessions', by: fourth }],
    ])
    expect(revoked.map(({ principal }) => principal?.id)).toEqual(Array(2).fill(`telegram:${user.userId}`))
  })

  test('a session that was opened without a link, or that became active later, ends one too many as well', async () => {
    const { store } = subject
    const user = newUser()
    const limits = { idleMs: 60_000, absoluteMs: 60_000, maxSessions: 1 }
    const first = newSessionToken(user)
    const content = { user, kind: 'settings' }
    expect(await store.openSession({ ref: first, content, state: 'active', limits })).toMatchObject({ ended: [] })
    await subject.advance(2)
    const second = newSessionToken(user)
    expect(await store.openSession({ ref: second, content, state: 'active', limits })).toMatchObject({
      ended: [{ id: first.tag, cause: 'max_sessions' }],
    })
    await subject.advance(2)
    const { session } = await opened(store, user, { state: 'awaiting_identity', limits })
    const identity = { issuer: 'https://id.example.com', subject: user.userId }
    expect(await store.claimIdentity({ session, newHash: session.hash, identity, mayEstablish: true })).toMatchObject({
      outcome: 'activated',
      ended: [{ id: second.tag, cause: 'max_sessions' }],
    })
  })

  test('a session that waits for its person ends when another browser opens its link, and that is reported', async () => {
    const { store } = subject
    const link = await issue(store, newUser())
    const first = await open(store, link, { state: 'awaiting_identity' })
    expect((await open(store, link, { state: 'awaiting_identity' })).result).toMatchObject({
      outcome: 'opened',
      ended: [{ id: first.session.tag, cause: 'link_opened_again' }],
    })
  })

  test('what is refused for its age says for how many milliseconds it has been late', async () => {
    const { store } = subject
    const limits = { idleMs: 100, absoluteMs: 200, maxSessions: 3 }
    const link = await issue(store, newUser(), { ttlMs: 100 })
    const { session } = await opened(store, newUser(), { limits })
    await subject.advance(150)
    const results = [await store.read(session), await store.peekLink(link), (await open(store, link)).result]
    expect(results).toMatchObject([{ reason: 'idle' }, { reason: 'expired' }, { reason: 'expired' }])
    for (const result of results) {
      const { lateMs = -1 } = result as { lateMs?: number }
      expect(lateMs).toBeGreaterThanOrEqual(50)
      expect(lateMs).toBeLessThan(10_000)
    }
    await subject.advance(100)
    expect(await store.read(session)).toMatchObject({ reason: 'expired' })
    // A stranger's hash learns nothing of the session.
    expect(await store.read({ tag: session.tag, hash: 'x' })).toEqual({ outcome: 'refused', reason: 'unknown' })
  })

  test('a link that wrong digits voided is an event, and the fifth alone', async () => {
    app = await settingsApp({ store: subject.store, realTime: true, confirmCode: true })
    const person = app.browser()
    const { url, code } = await app.settings.issueLink({ platform: 'telegram', userId: newUser().userId })
    const wrong = code === '000000' ? '000001' : '000000'
    const { action, fields } = await person.form(await person.open(url.reveal('deliver-to-user')))
    for (let attempt = 1; attempt <= 6; attempt += 1) {
      await person.post(action, { ...fields, code: wrong })
      expect(ofType('settings.link.revoked')).toHaveLength(attempt < 5 ? 0 : 1)
    }
    const [issued] = ofType('settings.link.issued')
    expect(ofType('settings.link.revoked')).toMatchObject([
      { severity: 'warning', credential: issued?.credential, attributes: { cause: 'wrong_codes' } },
    ])
  })
})

test('an event of an idle session, and of a link that has expired, says for how many seconds', async () => {
  app = await settingsApp({ idleTimeoutSeconds: 60, linkTtlSeconds: 90 })
  const person = app.browser()
  await person.confirm(await app.link())
  const link = await app.link()
  app.clock.advance(100_000)
  const idle = await person.send('/settings')
  expect(app.events.at(-1)).toMatchObject({ reason: 'idle', attributes: { late_by_seconds: 40 } })
  const expired = await app.browser().open(link)
  expect(app.events.at(-1)).toMatchObject({
    type: 'settings.link.refused',
    reason: 'expired',
    attributes: { late_by_seconds: 10 },
  })
  for (const answer of [idle, expired]) {
    expect((await answer.text()) + JSON.stringify([...answer.headers])).not.toContain('late_by')
  }
})

test('an opened and an ended session have the address of the client, and the route', async () => {
  app = await settingsApp({ before: (express) => express.set('trust proxy', true) })
  const person = app.browser()
  const headers = { 'x-forwarded-for': '203.0.113.7' }
  const { action, fields } = await person.form(await person.open(await app.link()))
  await person.post(action, fields, headers)
  await person.post('/settings/logout', {}, headers)
  const http = { method: 'POST', clientAddress: '203.0.113.7' }
  expect(ofType('settings.session.opened')[0]?.http).toMatchObject({ ...http, route: '/settings/open' })
  expect(ofType('settings.session.ended')[0]?.http).toMatchObject({ ...http, route: '/settings/logout' })
})

test('an event of a malformed cookie, link or body says which part', async () => {
  app = await settingsApp()
  const send = async (target: string, headers: Record<string, string>) => {
    await app.browser().send(target, { headers })
    return [app.events.at(-1)?.reason, app.events.at(-1)?.attributes]
  }
  expect(await send('/settings', { cookie: `${SESSION}=a; ${SESSION}=b` })).toEqual(['malformed', { part: 'cookie' }])
  expect(await send('/settings', { cookie: `${SESSION}=a` })).toEqual(['malformed', { part: 'token' }])
  expect(await send('/settings?s=l1.short', {})).toEqual(['malformed', { part: 'link' }])
  await app.browser().post('/settings/open', { token: 'x'.repeat(5000) })
  expect(app.events.at(-1)?.attributes).toEqual({ part: 'body', limit_bytes: 4096 })
})

test('an event of a session of another kind, or whose person was verified too long ago, says what was expected', async () => {
  const kinds = { billing: (value: unknown) => value as object }
  app = await settingsApp({ kinds, gate: { kinds: ['billing'] } } as HarnessOptions)
  const person = app.browser()
  await person.confirm(await app.link())
  expect((await person.send('/settings')).status).toBe(403)
  expect(app.events.at(-1)).toMatchObject({
    reason: 'wrong_kind',
    attributes: { kind: 'settings', expected_kinds: 'billing' },
  })
  await app.close()
  app = await settingsApp({ gate: { maxAuthAgeSeconds: 60 } })
  const late = app.browser()
  await late.confirm(await app.link())
  app.clock.advance(61_500)
  expect((await late.send('/settings')).status).toBe(403)
  expect(app.events.at(-1)).toMatchObject({
    reason: 'stale',
    attributes: { age_seconds: 61.5, max_age_seconds: 60 },
  })
})

describe('with a sign-in', () => {
  let provider: RunningProvider
  beforeAll(async () => {
    provider = await startProvider()
  }, 60_000)
  afterAll(() => provider?.app.stop())

  test('a session that waits, a claim that is held and answered, and a second sign-in are events', async () => {
    let claimId = ''
    app = await settingsApp({
      oauth: provider.oauth,
      realTime: true,
      onFirstClaim: (request) => {
        claimId = request.claimId
        return undefined
      },
    })
    const person = app.browser()
    await openWithSignIn(person, await app.link(), 'alice')
    await app.settings.answerFirstClaim(claimId, true)
    await person.send('/settings/waiting')
    expect((await signInAgain(person, 'alice')).status).toBe(303)
    const [id] = claimId.split('.')
    const held = { issuer: provider.issuer }
    const changes = app.events.filter(({ type }) => /^settings\.(?:session|identity)/.test(type))
    expect(changes.map(({ type, credential, attributes }) => [type, credential?.id, { ...attributes }])).toEqual([
      ['settings.session.pending', id, { kind: 'settings', link: expect.any(String) }],
      ['settings.identity.held', id, held],
      ['settings.identity.answered', id, { allowed: true, by: 'app' }],
      ['settings.identity.claimed', id, held],
      ['settings.session.opened', id, { kind: 'settings', link: expect.any(String) }],
      ['settings.session.reverified', id, {}],
    ])
    const byRequest = changes.filter(({ type }) => type !== 'settings.identity.answered')
    for (const { http } of byRequest) expect(http?.clientAddress).toMatch(/127\.0\.0\.1$/)
  })

  test('a session that a refused claim or another browser ended is an event with its cause', async () => {
    app = await settingsApp({ oauth: provider.oauth, realTime: true, onFirstClaim: () => false })
    const link = await app.link()
    await app.browser().confirm(link)
    const [pending] = news('settings.session.pending')
    const person = app.browser()
    expect((await openWithSignIn(person, link, 'mallory')).status).toBe(403)
    const revoked = ofType('settings.session.revoked').map(({ credential, attributes }) => [credential?.id, attributes])
    const [second] = ofType('settings.session.pending')
    expect(revoked).toEqual([
      [pending?.[1], { cause: 'link_opened_again', by: second?.credential?.id }],
      [second?.credential?.id, { cause: 'first_claim_denied' }],
    ])
  })

  test('the sessions that unlinking and binding anew end are events', async () => {
    app = await settingsApp({ oauth: provider.oauth, realTime: true, firstClaim: 'trust-link' })
    await openWithSignIn(app.browser(), await app.link(), 'alice')
    const user = { platform: 'telegram', userId: 'u1' }
    app.events.length = 0
    await app.settings.unlink(user)
    await app.settings.rebind(user, { issuer: provider.issuer, subject: 'bob' })
    expect(news('settings.session.revoked')).toEqual([
      ['settings.session.revoked', undefined, 'unlinked'],
      ['settings.session.revoked', undefined, 'rebound'],
    ])
  })
})
