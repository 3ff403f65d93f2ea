import assert from 'node:assert/strict'
import { type Audit, type AuditEvent, createAudit } from '@countersign/core'
import { type HmacSecretStore, type HmacSecretVersion, isActive } from '@countersign/hmac/store'
import type { ContractCase } from './contract.js'

/** Makes a store that holds nothing of the callers `a`, `b` and `*shared*`, on the system's clock. */
export type MakeSecretStore = (audit?: Audit) => HmacSecretStore | Promise<HmacSecretStore>

const SECRET = 'the-secret-of-the-contract-number-one'
const SECOND = 'the-secret-of-the-contract-number-two'
const DAY_MS = 86_400_000
/** How far the clocks of a store and of the test may be apart, and how long a statement may take. */
const SLACK_MS = 5000

function assertNear(actual: number | undefined, expected: number, what: string): void {
  assert.ok(
    actual !== undefined && Math.abs(actual - expected) < SLACK_MS,
    `${what}: ${actual} is not near ${expected}`,
  )
}

async function versionsOf(store: HmacSecretStore, caller: string): Promise<number[]> {
  return (await store.versions(caller)).map(({ version }) => version)
}

async function activeOf(store: HmacSecretStore, caller: string): Promise<number[]> {
  const versions = await store.versions(caller)
  return versions.filter((entry) => isActive(entry, Date.now())).map(({ version }) => version)
}

async function versionOf(
  store: HmacSecretStore,
  caller: string,
  version: number,
): Promise<HmacSecretVersion | undefined> {
  return (await store.versions(caller)).find((entry) => entry.version === version)
}

async function keyOf(store: HmacSecretStore, caller: string, version: number): Promise<Buffer | undefined> {
  return (await versionOf(store, caller, version))?.key?.export()
}

/** A method may throw or reject. */
async function assertRefused(work: () => unknown, code: string): Promise<void> {
  await assert.rejects(async () => work(), { code })
}

const cases: Readonly<Record<string, (make: MakeSecretStore) => Promise<void>>> = {
  async 'gives back what was inserted'(make) {
    const store = await make()
    await store.insert({ caller: 'a', version: 3, secret: SECRET })
    const found = await versionOf(store, 'a', 3)
    const { key, notBefore, createdAt, ...rest } = found ?? {}
    assert.deepEqual(rest, { caller: 'a', version: 3, expiresAt: undefined, revokedAt: undefined, isPending: false })
    assert.equal(key?.export().toString(), SECRET)
    assertNear(notBefore, Date.now(), 'notBefore')
    assertNear(createdAt, Date.now(), 'createdAt')
  },
  async 'takes a text for its UTF-8 bytes, and bytes as they are'(make) {
    const store = await make()
    await store.insert({ caller: 'a', version: 1, secret: 'ü'.repeat(16) })
    await store.insert({ caller: 'a', version: 2, secret: new Uint8Array(32).fill(255) })
    assert.deepEqual(await keyOf(store, 'a', 1), Buffer.from('ü'.repeat(16), 'utf8'))
    assert.deepEqual(await keyOf(store, 'a', 2), Buffer.alloc(32, 255))
  },
  async 'has nothing of a caller that it does not know'(make) {
    const store = await make()
    assert.equal(await versionOf(store, 'a', 1), undefined)
    assert.deepEqual([await versionsOf(store, 'a'), await activeOf(store, 'a'), await store.list('a')], [[], [], []])
    assert.deepEqual([await store.revoke('a', 1), await store.retire('a', 1, Date.now())], [false, false])
  },
  async 'answers all versions newest first, and of these the active ones'(make) {
    const store = await make()
    const now = Date.now()
    await store.insert({ caller: 'a', version: 2, secret: SECRET })
    await store.insert({ caller: 'a', version: 10, secret: SECRET, isPending: true })
    await store.insert({
      caller: 'a',
      version: 1,
      secret: SECRET,
      notBefore: now - 2 * DAY_MS,
      expiresAt: now - DAY_MS,
    })
    await store.insert({ caller: 'a', version: 9, secret: SECRET, notBefore: now + DAY_MS })
    await store.insert({ caller: 'a', version: 7, secret: SECRET })
    await store.revoke('a', 7)
    assert.deepEqual(await versionsOf(store, 'a'), [10, 9, 7, 2, 1])
    assert.deepEqual(await activeOf(store, 'a'), [10, 2])
  },
  async 'never replaces a version'(make) {
    const store = await make()
    await store.insert({ caller: 'a', version: 1, secret: SECRET })
    await assertRefused(
      () => store.insert({ caller: 'a', version: 1, secret: SECOND }),
      'ERR_COUNTERSIGN_HMAC_VERSION_EXISTS',
    )
    assert.equal((await keyOf(store, 'a', 1))?.toString(), SECRET)
  },
  async 'refuses what can be no version of a secret'(make) {
    const store = await make()
    const good = { caller: 'a', version: 1, secret: SECRET }
    const wrong: unknown[] = [
      { ...good, secret: 'x'.repeat(31) },
      { ...good, secret: '' },
      { ...good, secret: new Uint8Array(31) },
      { ...good, caller: 'A' },
      { ...good, caller: '' },
      { ...good, caller: '*other*' },
      { ...good, version: 0 },
      { ...good, version: 1.5 },
      { ...good, version: 2 ** 31 },
      { ...good, expiresAt: Number.NaN },
      { ...good, notBefore: -1 },
      { ...good, isPending: 'yes' },
    ]
    for (const secret of wrong)
      await assertRefused(() => store.insert(secret as typeof good), 'ERR_COUNTERSIGN_OPTION_INVALID')
    await assertRefused(() => store.insert({ ...good, expires: 1 } as typeof good), 'ERR_COUNTERSIGN_OPTION_UNKNOWN')
    await assertRefused(
      () => store.insert({ caller: 'a', version: 1 } as typeof good),
      'ERR_COUNTERSIGN_OPTION_MISSING',
    )
    await assertRefused(() => store.retire('a', 1, Number.NaN), 'ERR_COUNTERSIGN_OPTION_INVALID')
    await assertRefused(() => store.rotate('a', { graceSeconds: -1 }), 'ERR_COUNTERSIGN_OPTION_INVALID')
    await assertRefused(() => store.rotate('a', { secret: 'short' }), 'ERR_COUNTERSIGN_OPTION_INVALID')
    assert.deepEqual(await store.list('a'), [])
  },
  async 'retires a version at a moment'(make) {
    const store = await make()
    await store.insert({ caller: 'a', version: 1, secret: SECRET })
    await store.insert({ caller: 'a', version: 2, secret: SECRET })
    const later = Date.now() + DAY_MS
    assert.deepEqual([await store.retire('a', 1, later), await store.retire('a', 2, Date.now() - 1000)], [true, true])
    assertNear((await versionOf(store, 'a', 1))?.expiresAt, later, 'expiresAt')
    assert.deepEqual(await activeOf(store, 'a'), [1])
  },
  async 'never lets a version live longer by retiring it'(make) {
    const events: AuditEvent[] = []
    const store = await make(createAudit({ sinks: [(event) => void events.push(event)] }))
    const now = Date.now()
    const past = { notBefore: now - 2 * DAY_MS, expiresAt: now - DAY_MS }
    await store.insert({ caller: 'a', version: 1, secret: SECRET, ...past })
    await store.insert({ caller: 'a', version: 2, secret: SECRET, expiresAt: now + DAY_MS })
    for (const version of [1, 2]) assert.equal(await store.retire('a', version, now + 2 * DAY_MS), true)
    assertNear((await versionOf(store, 'a', 1))?.expiresAt, past.expiresAt, 'the end of what has ended')
    assertNear((await versionOf(store, 'a', 2))?.expiresAt, now + DAY_MS, 'an end that is sooner')
    assert.deepEqual(await activeOf(store, 'a'), [2])
    const told = events.flatMap(({ type, attributes }) =>
      type === 'hmac.secret.retired' ? [Date.parse(String(attributes?.expires_at))] : [],
    )
    assertNear(told[0], past.expiresAt, 'expires_at of the first event')
    assertNear(told[1], now + DAY_MS, 'expires_at of the second event')
  },
  async 'revokes a version for good, and knows since when'(make) {
    const store = await make()
    await store.insert({ caller: 'a', version: 1, secret: SECRET })
    assert.equal(await store.revoke('a', 1), true)
    const { revokedAt } = (await versionOf(store, 'a', 1)) ?? {}
    assertNear(revokedAt, Date.now(), 'revokedAt')
    const untilMs = performance.now() + 150
    while (performance.now() < untilMs) await new Promise((resolve) => setTimeout(resolve, 10))
    assert.equal(await store.revoke('a', 1), true)
    assert.ok(Math.abs(((await versionOf(store, 'a', 1))?.revokedAt ?? 0) - (revokedAt ?? 0)) < 100, 'revokedAt moved')
    assert.deepEqual(await activeOf(store, 'a'), [])
  },
  async 'rotates to the next version, and gives the previous ones a grace'(make) {
    const store = await make()
    const first = await store.rotate('a')
    assert.deepEqual([first.caller, first.version, first.secret?.length], ['a', 1, 64])
    assert.equal((await keyOf(store, 'a', 1))?.toString(), first.secret)
    const second = await store.rotate('a')
    assert.notEqual(second.secret, first.secret)
    assertNear((await versionOf(store, 'a', 1))?.expiresAt, Date.now() + DAY_MS, 'expiresAt')
    const third = await store.rotate('a', { secret: SECRET, graceSeconds: 60 })
    assert.deepEqual([third.version, third.secret], [3, undefined])
    for (const version of [1, 2]) {
      assertNear((await versionOf(store, 'a', version))?.expiresAt, Date.now() + 60_000, `expiresAt of ${version}`)
    }
    assert.equal((await versionOf(store, 'a', 3))?.expiresAt, undefined)
    await store.rotate('a', { graceSeconds: 3600 })
    assertNear((await versionOf(store, 'a', 1))?.expiresAt, Date.now() + 60_000, 'an expiry that was sooner')
    await store.rotate('a', { graceSeconds: 0 })
    assert.deepEqual(await activeOf(store, 'a'), [5])
  },
  async 'tells verifiers of a pending version first, and puts it in force with the next rotation'(make) {
    const store = await make()
    await store.insert({ caller: 'a', version: 1, secret: SECRET })
    const pending = await store.rotate('a', { pending: true })
    assert.deepEqual([pending.version, pending.secret?.length], [2, 64])
    assert.deepEqual(
      [(await versionOf(store, 'a', 2))?.isPending, (await versionOf(store, 'a', 1))?.expiresAt],
      [true, undefined],
    )
    assert.deepEqual(await activeOf(store, 'a'), [2, 1])
    await assertRefused(() => store.rotate('a', { secret: SECOND }), 'ERR_COUNTERSIGN_OPTION_INVALID')
    assert.deepEqual(await store.rotate('a'), { caller: 'a', version: 2, secret: undefined })
    assert.equal((await versionOf(store, 'a', 2))?.isPending, false)
    assertNear((await versionOf(store, 'a', 1))?.expiresAt, Date.now() + DAY_MS, 'expiresAt')
    assert.deepEqual(await versionsOf(store, 'a'), [2, 1])
  },
  async 'puts no pending version in force that has ended meanwhile'(make) {
    const store = await make()
    await store.insert({ caller: 'a', version: 1, secret: SECRET })
    await store.rotate('a', { pending: true })
    await store.revoke('a', 2)
    const third = await store.rotate('a', { pending: true })
    await store.retire('a', 3, Date.now() - 1000)
    const fourth = await store.rotate('a', { graceSeconds: 0 })
    assert.deepEqual([third.version, fourth.version, fourth.secret?.length], [3, 4, 64])
    assert.deepEqual(
      [(await versionOf(store, 'a', 2))?.isPending, (await versionOf(store, 'a', 3))?.isPending],
      [true, true],
    )
    assert.deepEqual(await activeOf(store, 'a'), [4])
  },
  async 'makes one version of each rotation that succeeds, however many run at once'(make) {
    const store = await make()
    await store.insert({ caller: 'a', version: 1, secret: SECRET })
    const results = await Promise.allSettled(Array.from({ length: 8 }, async () => store.rotate('a')))
    const made = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value.version] : []))
    const codes = results.flatMap((result) =>
      result.status === 'rejected' ? [(result.reason as { code?: string }).code] : [],
    )
    assert.ok(made.length >= 1)
    assert.deepEqual([...new Set(codes)], codes.length > 0 ? ['ERR_COUNTERSIGN_HMAC_ROTATION_CONFLICT'] : [])
    assert.deepEqual(await versionsOf(store, 'a'), [...made.sort((a, b) => b - a), 1])
    const newest = Math.max(...made)
    for (const { version, expiresAt } of await store.versions('a'))
      assert.equal(expiresAt === undefined, version === newest)
  },
  async 'keeps callers apart, the shared secret too'(make) {
    const store = await make()
    for (const caller of ['b', '*shared*', 'a']) await store.insert({ caller, version: 1, secret: SECRET })
    await store.rotate('a')
    await store.revoke('b', 1)
    assert.deepEqual(await activeOf(store, 'a'), [2, 1])
    assert.deepEqual(await activeOf(store, 'b'), [])
    assert.deepEqual(await activeOf(store, '*shared*'), [1])
    const listed = (await store.list()).filter(({ caller }) => ['a', 'b', '*shared*'].includes(caller))
    assert.deepEqual(
      listed.map(({ caller, version }) => `${caller}/${version}`),
      ['*shared*/1', 'a/2', 'a/1', 'b/1'],
    )
    assert.deepEqual(
      (await store.list('a')).map(({ version }) => version),
      [2, 1],
    )
  },
  async 'says of a caller whether the shared secret counts beside its own'(make) {
    const events: AuditEvent[] = []
    const store = await make(createAudit({ sinks: [(event) => void events.push(event)] }))
    const said = async (caller: string) => (await store.versions(caller)).some(({ acceptsShared }) => acceptsShared)
    await store.insert({ caller: 'a', version: 2, secret: SECRET, acceptsShared: true })
    await store.insert({ caller: 'b', version: 1, secret: SECRET })
    assert.deepEqual([await said('a'), await said('b')], [true, false])
    await store.rotate('a', { graceSeconds: 0 })
    assert.equal(await said('a'), true, 'a rotation ends it')
    assert.deepEqual([await store.acceptShared('a', false), await said('a')], [true, false])
    for (let time = 0; time < 2; time += 1) assert.equal(await store.acceptShared('b', true), true)
    assert.equal(await said('b'), true)
    assert.equal(await store.acceptShared('*shared*', true), false, 'of a caller that has nothing')
    const told = events.flatMap(({ type, principal, attributes }) =>
      type === 'hmac.secret.rotated' ? [] : [[type, principal?.id, attributes?.accepts_shared]],
    )
    assert.deepEqual(told, [
      ['hmac.secret.added', 'a', true],
      ['hmac.secret.added', 'b', undefined],
      ['hmac.shared.ended', 'a', undefined],
      // Another process may have made the change and wait for its record still: each call is recorded.
      ['hmac.shared.accepted', 'b', undefined],
      ['hmac.shared.accepted', 'b', undefined],
    ])
  },
  async 'forgets what was stored by mistake, and its version can be stored again'(make) {
    const events: AuditEvent[] = []
    const store = await make(createAudit({ sinks: [(event) => void events.push(event)] }))
    for (const version of [1, 2, 3]) await store.insert({ caller: 'a', version, secret: SECRET })
    await store.insert({ caller: 'b', version: 1, secret: SECRET })
    assert.deepEqual(
      [await store.forget('a', 9), await store.forget('a', 2), await versionsOf(store, 'a')],
      [[], [2], [3, 1]],
    )
    await store.insert({ caller: 'a', version: 2, secret: SECOND })
    assert.equal((await keyOf(store, 'a', 2))?.toString(), SECOND)
    assert.deepEqual([await store.forget('a'), await versionsOf(store, 'a')], [[1, 2, 3], []])
    assert.deepEqual([await store.forget('a'), await versionsOf(store, 'b')], [[], [1]])
    const told = events.filter(({ type }) => type === 'hmac.secret.forgotten')
    assert.deepEqual(
      told.map(({ principal, credential, attributes }) => [principal?.id, credential?.id, attributes?.versions]),
      [
        ['a', 'a/2', '2'],
        ['a', undefined, '1 2 3'],
      ],
    )
  },
  async 'reports each change once, and no secret'(make) {
    const events: AuditEvent[] = []
    const store = await make(createAudit({ sinks: [(event) => void events.push(event)] }))
    await store.insert({ caller: 'a', version: 1, secret: SECRET })
    const { secret = '' } = await store.rotate('a', { pending: true })
    await store.rotate('a')
    await store.retire('a', 1, Date.now() + DAY_MS)
    await store.revoke('a', 1)
    await store.revoke('a', 9)
    await assertRefused(
      () => store.insert({ caller: 'a', version: 1, secret: SECRET }),
      'ERR_COUNTERSIGN_HMAC_VERSION_EXISTS',
    )
    assert.deepEqual(
      events.map(({ type, principal, credential, attributes }) => [
        type,
        principal?.id,
        credential?.id,
        attributes?.pending,
      ]),
      [
        ['hmac.secret.added', 'a', 'a/1', undefined],
        ['hmac.secret.rotated', 'a', 'a/2', true],
        ['hmac.secret.rotated', 'a', 'a/2', false],
        ['hmac.secret.retired', 'a', 'a/1', undefined],
        ['hmac.secret.revoked', 'a', 'a/1', undefined],
      ],
    )
    const text = JSON.stringify(events)
    assert.ok(!text.includes(SECRET) && !text.includes(secret), 'an event holds a secret')
  },
}

/**
 * What every store of HMAC secrets keeps to. `makeStore` is called once or more for each case; what it makes holds nothing
 * of the callers `a`, `b` and `*shared*`, and reports to the emitter that it is given.
 *
 * @example
 * for (const { title, run } of secretStoreContract((audit) => mySecrets(database, { audit }))) test(title, run)
 */
export function secretStoreContract(makeStore: MakeSecretStore): readonly ContractCase[] {
  return Object.entries(cases).map(([title, check]) => ({ title, run: () => check(makeStore) }))
}
