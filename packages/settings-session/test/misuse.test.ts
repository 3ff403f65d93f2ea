import { afterEach, beforeEach, expect, test } from '@jest/globals'
import { type Harness, settingsApp } from './harness.js'

type Method = (settings: Harness['settings'], value: never) => Promise<unknown>

const INVALID = { code: 'ERR_COUNTERSIGN_OPTION_INVALID' }
const user = { platform: 'slack', team: '7', userId: '42' }
const bound = { platform: 'slack', userId: 'other' }
const identity = { issuer: 'https://id.example.com', subject: '42' }

const OF_USERS: Readonly<Record<string, Method>> = {
  list: (settings, value) => settings.list(value),
  revokeAll: (settings, value) => settings.revokeAll(value),
  identityOf: (settings, value) => settings.identityOf(value),
  unlink: (settings, value) => settings.unlink(value),
  rebind: (settings, value) => settings.rebind(value, identity),
  issueLink: (settings, value) => settings.issueLink(value),
}

const WRONG_USERS: readonly [why: string, option: string, value: unknown][] = [
  ['a number for the id', 'userId', { ...user, userId: 42 }],
  ['a number for the team', 'team', { ...user, team: 7 }],
  ['a team that is null', 'team', { ...user, team: null }],
  ['a misspelt team', 'teamId', { platform: 'slack', teamId: '7', userId: '42' }],
  ['a misspelt id', 'userID', { platform: 'slack', team: '7', userID: '42' }],
  ['no id', 'userId', { platform: 'slack', team: '7' }],
  ['no platform', 'platform', { team: '7', userId: '42' }],
  ['an empty id', 'userId', { ...user, userId: '' }],
  ['an id of 257 characters', 'userId', { ...user, userId: 'u'.repeat(257) }],
  ['half a surrogate pair', 'userId', { ...user, userId: '\ud800' }],
]

const NO_OBJECTS: readonly [why: string, value: unknown][] = [
  ['nothing', undefined],
  ['null', null],
  ['a text', '42'],
  ['a list', [user]],
  [
    'an object of a class',
    new (class {
      readonly platform = 'slack'
      readonly userId = '42'
      // In no list of fields: who wrote it meant a team.
      get teamId() {
        return '7'
      }
    })(),
  ],
  ['what inherits its fields', Object.create(user)],
]

let app: Harness

beforeEach(async () => {
  app = await settingsApp()
  await app.browser().confirm(await app.link(user))
  await app.settings.rebind(bound, identity)
  app.events.length = 0
})
afterEach(() => app.close())

async function expectNothingChanged(): Promise<void> {
  expect(app.events).toEqual([])
  expect(await app.settings.list(user)).toHaveLength(1)
  expect(await app.settings.identityOf(bound)).toEqual(identity)
}

test.each(Object.keys(OF_USERS))('%s refuses whom it cannot mean, changes and reports nothing', async (name) => {
  const call = OF_USERS[name] as Method
  const whole = name === 'issueLink' ? 'request' : 'user'
  const wrong = [...WRONG_USERS, ...NO_OBJECTS.map(([why, value]) => [why, whole, value] as const)]
  for (const [why, option, value] of wrong) {
    const error = await call(app.settings, value as never).catch((caught: unknown) => caught)
    const message = expect.stringContaining(`${name}: "${option}" `)
    expect([why, error]).toEqual([why, expect.objectContaining({ ...INVALID, option, message })])
  }
  await expectNothingChanged()
})

test.each([
  ['issuer', { subject: '42' }],
  ['subject', { issuer: identity.issuer, subject: 42 }],
  ['sub', { issuer: identity.issuer, sub: '42' }],
  ['subject', { issuer: identity.issuer, subject: 's'.repeat(256) }],
  ['identity', undefined],
])('rebind refuses an identity that nobody can have: %s', async (option, wrong) => {
  await expect(app.settings.rebind(bound, wrong as never)).rejects.toMatchObject({ ...INVALID, option })
  await expectNothingChanged()
})

test('a session id that is no text, and an answer that is neither yes nor no, are refused', async () => {
  for (const id of [undefined, null, 7, '', { id: 'x' }]) {
    await expect(app.settings.revoke(id as never)).rejects.toMatchObject({ ...INVALID, option: 'sessionId' })
    await expect(app.settings.answerFirstClaim(id as never, true)).rejects.toMatchObject({ option: 'claimId' })
  }
  for (const answer of [undefined, 'true', 'no', 1]) {
    await expect(app.settings.answerFirstClaim('x.y', answer as never)).rejects.toMatchObject({ option: 'isAllowed' })
  }
  expect(await app.settings.revoke('not-a-session')).toBe(false)
  expect(await app.settings.answerFirstClaim('not-a-claim', true)).toBe(false)
  await expectNothingChanged()
})

test('deliver refuses what is no link, and what cannot send it, before it reports anything', async () => {
  const link = await app.settings.issueLink(user)
  app.events.length = 0
  for (const wrong of [undefined, {}, { receipt: {} }, link.receipt]) {
    await expect(app.settings.deliver(wrong as never, () => undefined)).rejects.toMatchObject({
      ...INVALID,
      option: 'link',
    })
  }
  await expect(app.settings.deliver(link, 'send' as never)).rejects.toMatchObject({ ...INVALID, option: 'send' })
  expect(app.events).toEqual([])
})

test("a principal of the gate is taken as its user, and the user's sessions end", async () => {
  const [session] = await app.settings.list(user)
  const principal = session?.principal as NonNullable<typeof session>['principal']
  expect(await app.settings.list(principal)).toHaveLength(1)
  await app.settings.revokeAll(principal)
  expect(await app.settings.list(user)).toEqual([])
  expect(app.events).toMatchObject([
    { type: 'settings.session.revoked', principal: { id: 'slack:7:42' }, attributes: { all: true } },
  ])
})

test('the event of a revocation names who asked for it, and nothing is revoked for a wrong name', async () => {
  const [session] = await app.settings.list(user)
  const id = session?.id ?? ''
  app.events.length = 0
  for (const wrong of [
    { operator: '' },
    { operator: 7 },
    { operator: 'a\nb' },
    { operater: 'ops:ana' },
    3,
  ] as never[]) {
    await expect(app.settings.revoke(id, wrong)).rejects.toMatchObject(INVALID)
    await expect(app.settings.revokeAll(user, wrong)).rejects.toMatchObject(INVALID)
  }
  expect(app.events).toEqual([])
  await app.settings.revoke(id, { operator: 'ops:ana' })
  await app.settings.revokeAll(user, { operator: 'ops:ana' })
  expect(app.events.map(({ type, attributes }) => [type, { ...attributes }])).toEqual([
    ['settings.session.revoked', { operator: 'ops:ana' }],
    ['settings.session.revoked', { all: true, operator: 'ops:ana' }],
  ])
})
