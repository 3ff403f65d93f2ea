import { createAudit } from '@countersign/core'
import { memorySecrets } from '@countersign/hmac'
import type { NewHmacSecret } from '@countersign/hmac/store'
import { beforeEach, describe, expect, test } from '@jest/globals'
import { type FakeClock, fakeClock } from '../../../test/support/fake-clock.js'
import { requiredAudit, UNRECORDED } from '../../../test/support/required-audit.js'
import { secretStoreContract } from '../../../test/support/secret-store-contract.js'
import { rotationConflict, versionExists } from '../src/store/changes.js'

const SECRET = 'a-secret-of-the-tests-that-is-long-enough'
const DAY_MS = 86_400_000

describe('[hmac-store-contract] secrets in memory', () => {
  const contract = secretStoreContract((audit) => memorySecrets([], audit === undefined ? {} : { audit }))
  for (const { title, run } of contract) test(title, run)
})

let clock: FakeClock
let world: ReturnType<typeof requiredAudit>
let store: ReturnType<typeof memorySecrets>
beforeEach(() => {
  clock = fakeClock()
  world = requiredAudit()
  store = make()
})

const entry = (version = 1, rest: Partial<NewHmacSecret> = {}) => ({ caller: 'a', version, secret: SECRET, ...rest })
const make = (...entries: NewHmacSecret[]) => memorySecrets(entries, { clock, audit: world.audit })
const of = (version: number, caller = 'a') => store.versions(caller).find((one) => one.version === version)
const told = () =>
  world.events.map(({ type, outcome, principal, credential, attributes }) => ({
    ...{ type, outcome, caller: principal?.id, credential, attributes },
  }))
const event = (type: string, caller: string, version: number, attributes?: object, outcome = 'success') => ({
  ...{ type, outcome, caller, attributes, credential: { id: `${caller}/${version}`, version } },
})

describe('a list of secrets', () => {
  test('is in force from its making, by the clock that is given, and is reported to nobody', () => {
    store = make(entry(1), entry(2, { notBefore: 5, expiresAt: 7, acceptsShared: true }))
    const rest = { caller: 'a', createdAt: clock.now(), revokedAt: undefined, isPending: false, key: expect.anything() }
    expect(of(1)).toEqual({ ...rest, version: 1, notBefore: clock.now(), expiresAt: undefined })
    expect(of(1)).not.toHaveProperty('acceptsShared')
    expect(of(2)).toEqual({ ...rest, version: 2, notBefore: 5, expiresAt: 7, acceptsShared: true })
    expect(world.events).toEqual([])
  })

  test.each<[string, unknown]>([
    ['a text', SECRET],
    ['an object', {}],
    ['nothing', undefined],
  ])('is a list: %s is refused, and the error names the option', (_what, secrets) => {
    expect(() => memorySecrets(secrets as never)).toThrow(
      expect.objectContaining({
        ...{ code: 'ERR_COUNTERSIGN_OPTION_INVALID', option: 'secrets' },
        message: expect.stringContaining('memorySecrets: "secrets" must be a list'),
      }),
    )
  })

  test.each<[string, object, string]>([
    ['a short secret', { secret: 'x'.repeat(31) }, 'secret'],
    ['no secret', { secret: undefined }, 'secret'],
    ['a secret that is a number', { secret: 7 }, 'secret'],
    ['a name in upper case', { caller: 'A' }, 'caller'],
    ['a name that is no text', { caller: 7 }, 'caller'],
    ['another name between stars', { caller: '*all*' }, 'caller'],
    ['version 0', { version: 0 }, 'version'],
    ['a version beyond 31 bits', { version: 2 ** 31 }, 'version'],
    ['an end before 1970', { expiresAt: -1 }, 'expiresAt'],
    ['a beginning that no Date can hold', { notBefore: 8_640_000_000_000_001 }, 'notBefore'],
  ])('has no entry with %s: the error names the entry and the option', (_what, wrong, option) => {
    expect(() => make(entry(1), { ...entry(2), ...wrong } as NewHmacSecret)).toThrow(
      expect.objectContaining({
        ...{
          option: `[1].${option}`,
          message: expect.stringMatching(new RegExp(`^memorySecrets: .*\\[1\\]\\.${option}`)),
        },
      }),
    )
  })

  test('has no version twice, and the error names it', () => {
    const code = 'ERR_COUNTERSIGN_HMAC_VERSION_EXISTS'
    const message = expect.stringContaining('version 3 of "a"')
    expect(() => make(entry(3), entry(3))).toThrow(expect.objectContaining({ code, message }))
    expect(() => make(entry(3), entry(3, { caller: 'b' }), entry(3, { caller: '*shared*' }))).not.toThrow()
  })

  test('tells which callers it knows, and that changes with them', () => {
    store = make(entry(), entry(1, { caller: '*shared*' }))
    expect(['a', 'b', '*shared*'].map((name) => store.knows(name))).toEqual([true, false, true])
    store.insert(entry(1, { caller: 'b' }))
    store.revoke('a', 1)
    expect(['a', 'b'].map((name) => store.knows(name))).toEqual([true, true])
    store.forget('b')
    expect([store.knows('b'), store.versions('b')]).toEqual([false, []])
  })

  test('is listed by caller, newest first, whatever the order of its making', () => {
    store = make(
      entry(1, { caller: 'b' }),
      entry(2),
      entry(1, { caller: '*shared*' }),
      entry(10),
      entry(1),
      entry(2, { caller: 'b' }),
    )
    const names = (caller?: string) => store.list(caller).map((one) => `${one.caller}/${one.version}`)
    expect(names()).toEqual(['*shared*/1', 'a/10', 'a/2', 'a/1', 'b/2', 'b/1'])
    expect([names('a'), names('c')]).toEqual([['a/10', 'a/2', 'a/1'], []])
  })
})

describe('a change', () => {
  test('is reported with its caller, its version and what it did', () => {
    store.insert(entry(1))
    store.insert(entry(1, { caller: 'b', acceptsShared: true }))
    store.rotate('a', { pending: true })
    store.rotate('a')
    store.retire('a', 1, clock.now() + 5000)
    store.revoke('a', 2)
    expect(told()).toEqual([
      event('hmac.secret.added', 'a', 1),
      event('hmac.secret.added', 'b', 1, { accepts_shared: true }),
      event('hmac.secret.rotated', 'a', 2, { pending: true }),
      event('hmac.secret.rotated', 'a', 2, { pending: false }),
      event('hmac.secret.retired', 'a', 1, { expires_at: new Date(clock.now() + 5000).toISOString() }),
      event('hmac.secret.revoked', 'a', 2),
    ])
    expect(world.events.every(({ gate, principal }) => gate === 'hmac' && principal?.kind === 'hmac')).toBe(true)
  })

  test('of what is not there is none, and is not reported', () => {
    store = make(entry(1))
    expect([
      store.revoke('a', 2),
      store.revoke('b', 1),
      store.retire('a', 2, 0),
      store.acceptShared('b', true),
    ]).toEqual([false, false, false, false])
    expect([store.forget('a', 2), store.forget('b'), store.acceptShared('b', false)]).toEqual([[], [], false])
    expect(world.events).toEqual([])
    expect(of(1)).toMatchObject({ revokedAt: undefined, expiresAt: undefined })
  })

  test('is one of its own version alone', () => {
    store = make(entry(1), entry(2), entry(1, { caller: 'b' }))
    store.revoke('a', 1)
    store.retire('a', 2, clock.now() + 1)
    expect([of(1)?.revokedAt, of(1)?.expiresAt]).toEqual([clock.now(), undefined])
    expect([of(2)?.revokedAt, of(2)?.expiresAt]).toEqual([undefined, clock.now() + 1])
    expect([of(1, 'b')?.revokedAt, of(1, 'b')?.expiresAt]).toEqual([undefined, undefined])
  })

  test('has a moment of its own, whatever was revoked before', () => {
    store = make(entry(1), entry(2))
    store.revoke('a', 2)
    clock.advance(1000)
    store.revoke('a', 1)
    expect([of(1)?.revokedAt, of(2)?.revokedAt]).toEqual([clock.now(), clock.now() - 1000])
  })

  test('that stores a wrong version is refused, and the error names the option', () => {
    for (const [option, value] of [
      ['secret', 'x'.repeat(31)],
      ['version', 0],
    ] as const) {
      expect(() => store.insert(entry(1, { [option]: value }))).toThrow(expect.objectContaining({ option }))
    }
    expect(store.list()).toEqual([])
  })

  test('never moves an end or a revocation to a later moment', () => {
    store = make(entry(1))
    store.retire('a', 1, 5000)
    store.retire('a', 1, 6000)
    store.revoke('a', 1)
    clock.advance(1000)
    store.revoke('a', 1)
    expect(of(1)).toMatchObject({ expiresAt: 5000, revokedAt: clock.now() - 1000 })
    store.retire('a', 1, 4000)
    expect(of(1)?.expiresAt).toBe(4000)
  })

  test.each([Number.NaN, -1, 8_640_000_000_000_001, undefined])(
    'to the moment %p is refused, with its name',
    (moment) => {
      store = make(entry(1))
      expect(() => store.retire('a', 1, moment as number)).toThrow(/^retire: .*"expiresAt"/)
      expect(of(1)?.expiresAt).toBeUndefined()
    },
  )
})

describe('a rotation', () => {
  test('makes the first version of a caller, and each next one, with a secret of 48 random bytes', () => {
    const first = store.rotate('a')
    expect(first).toEqual({ caller: 'a', version: 1, secret: expect.stringMatching(/^[A-Za-z0-9+/]{64}$/) })
    store.insert(entry(7))
    expect(store.rotate('a', { secret: SECRET })).toEqual({ caller: 'a', version: 8, secret: undefined })
    expect(of(8)?.key?.export().toString()).toBe(SECRET)
  })

  test('ends the versions before it after a day, or after the grace that is given, and no other', () => {
    store = make(entry(1), entry(1, { caller: 'b' }))
    store.rotate('a')
    expect([of(1)?.expiresAt, of(2)?.expiresAt]).toEqual([clock.now() + DAY_MS, undefined])
    store.rotate('a', { graceSeconds: 60 })
    expect([of(1), of(2), of(3)].map((one) => one?.expiresAt)).toEqual([
      clock.now() + 60_000,
      clock.now() + 60_000,
      undefined,
    ])
    expect(of(1, 'b')?.expiresAt).toBeUndefined()
  })

  test('that is pending ends none, until it is put in force: then no secret may be given', () => {
    store = make(entry(1))
    store.rotate('a', { pending: true, secret: SECRET })
    expect([of(1)?.expiresAt, of(2)?.isPending]).toEqual([undefined, true])
    expect(() => store.rotate('a', { secret: SECRET })).toThrow(
      expect.objectContaining({
        ...{
          code: 'ERR_COUNTERSIGN_OPTION_INVALID',
          option: 'secret',
          message: expect.stringMatching(/^rotate: .*"secret"/),
        },
      }),
    )
    expect(store.rotate('a', { graceSeconds: 1 })).toEqual({ caller: 'a', version: 2, secret: undefined })
    expect([of(1)?.expiresAt, of(2)?.isPending]).toEqual([clock.now() + 1000, false])
  })

  test('that is pending behind a pending one is the next', () => {
    for (const version of [1, 2]) expect(store.rotate('a', { pending: true })).toMatchObject({ version })
    expect([of(1)?.isPending, of(2)?.isPending]).toEqual([true, true])
  })

  test.each<[string, object]>([
    ['graceSeconds', { graceSeconds: -1 }],
    ['graceSeconds', { graceSeconds: 315_360_001 }],
    ['pending', { pending: 'yes' }],
    ['secret', { secret: 7 }],
    ['grace', { grace: 7 }],
  ])('with a wrong %s is refused, and changes nothing: %j', (option, options) => {
    store = make(entry(1))
    expect(() => store.rotate('a', options)).toThrow(new RegExp(`^rotate: .*"${option}"`))
    expect(store.versions('a')).toHaveLength(1)
  })
})

describe('what a required sink did not record', () => {
  const undone = { cause: 'audit_sink' }
  const failed = (type: string, version: number, attributes?: object) => event(type, 'a', version, attributes, 'error')

  test('is revoked where it was a new version, and that is reported', () => {
    world.fail('throws', 'hmac.secret.added')
    expect(() => store.insert(entry(1))).toThrow(expect.objectContaining(UNRECORDED))
    expect(of(1)?.revokedAt).toBe(clock.now())
    expect(told()).toEqual([failed('hmac.secret.added', 1), event('hmac.secret.revoked', 'a', 1, undone)])
  })

  test('is revoked where it was a rotation, and the versions before it have no end', () => {
    store = make(entry(1))
    world.fail('throws', 'hmac.secret.rotated')
    expect(() => store.rotate('a', { graceSeconds: 0 })).toThrow(expect.objectContaining(UNRECORDED))
    expect([of(1)?.expiresAt, of(1)?.revokedAt, of(2)?.revokedAt]).toEqual([undefined, undefined, clock.now()])
    expect(told()[1]).toEqual(event('hmac.secret.revoked', 'a', 2, undone))
  })

  test('was forgotten meanwhile: there is nothing to revoke, and nothing is reported of it', async () => {
    world.fail('rejects', 'hmac.secret.added')
    const inserted = store.insert(entry(1))
    store.forget('a')
    await expect(inserted).rejects.toMatchObject(UNRECORDED)
    expect(told().map(({ type }) => type)).not.toContain('hmac.secret.revoked')
  })

  test('stays pending where it was put in force, and that is reported', () => {
    store = make(entry(1), entry(2, { isPending: true }))
    world.fail('throws')
    expect(() => store.rotate('a')).toThrow(expect.objectContaining(UNRECORDED))
    expect([of(1)?.expiresAt, of(2)?.isPending, of(2)?.revokedAt]).toEqual([undefined, true, undefined])
    expect(told().at(-1)).toMatchObject({ type: 'hmac.secret.rotated', attributes: { pending: true, ...undone } })
  })

  test('does not let the shared secret count, unless it did before', () => {
    store = make(entry(1), entry(1, { caller: 'b', acceptsShared: true }), entry(2, { caller: 'b' }))
    world.fail('throws')
    for (const caller of ['a', 'b']) {
      expect(() => store.acceptShared(caller, true)).toThrow(expect.objectContaining(UNRECORDED))
    }
    expect([of(1)?.acceptsShared, of(1, 'b')?.acceptsShared]).toEqual([false, true])
    expect([store.acceptShared('b', false), of(1, 'b')?.acceptsShared]).toEqual([true, false])
  })

  test('is not forgotten, and is in its place', () => {
    store = make(entry(1), entry(2), entry(3))
    const before = store.versions('a')
    world.fail('throws')
    expect(() => store.forget('a', 2)).toThrow(expect.objectContaining(UNRECORDED))
    expect(store.versions('a')).toEqual(before)
    expect(() => store.forget('a')).toThrow(expect.objectContaining(UNRECORDED))
    expect(store.versions('a')).toEqual(before)
  })
})

test('whether the shared secret counts is said of all versions of a caller, and each call is reported', () => {
  store = make(entry(1), entry(2), entry(1, { caller: 'b' }))
  expect(store.acceptShared('a', true)).toBe(true)
  expect([of(1)?.acceptsShared, of(2)?.acceptsShared, of(1, 'b')?.acceptsShared]).toEqual([true, true, undefined])
  expect(store.acceptShared('a', false)).toBe(true)
  expect([of(1)?.acceptsShared, of(2)?.acceptsShared]).toEqual([false, false])
  expect(world.events.map(({ type, gate, principal }) => [type, gate, principal])).toEqual(
    ['accepted', 'ended'].map((what) => [`hmac.shared.${what}`, 'hmac', { kind: 'hmac', id: 'a' }]),
  )
})

test('what is forgotten is said: one version by its name, several by their numbers', () => {
  store = make(entry(1), entry(2), entry(3))
  expect([store.forget('a', 2), store.forget('a')]).toEqual([[2], [1, 3]])
  expect(told()).toEqual([
    event('hmac.secret.forgotten', 'a', 2, { versions: '2' }),
    { ...event('hmac.secret.forgotten', 'a', 1, { versions: '1 3' }), credential: undefined },
  ])
  for (const { gate, principal } of world.events) expect([gate, principal?.kind]).toEqual(['hmac', 'hmac'])
})

test('errors of a store have their code, say whose they are, and name their page', () => {
  expect(versionExists('a', 3)).toMatchObject({ code: 'ERR_COUNTERSIGN_HMAC_VERSION_EXISTS' })
  expect(rotationConflict('a')).toMatchObject({ code: 'ERR_COUNTERSIGN_HMAC_ROTATION_CONFLICT' })
  for (const error of [versionExists('a', 3), rotationConflict('a')] as (Error & { code?: string })[]) {
    expect(error.message).toContain('"a"')
    expect(error.message).toMatch(new RegExp(`https://.*${error.code}`))
  }
})

test('options of a store are an emitter and a clock, and a wrong one is named', () => {
  for (const [option, value] of [
    ['audit', { emit: () => true }],
    ['audit', {}],
    ['clock', {}],
  ] as const) {
    expect(() => memorySecrets([], { [option]: value } as never)).toThrow(new RegExp(`^memorySecrets: .*"${option}"`))
  }
  expect(() => memorySecrets([], { audit: createAudit(), clock })).not.toThrow()
})
