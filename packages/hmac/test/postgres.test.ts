import { createCipheriv, randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { type PostgresClient, postgresSecrets, postgresSecretsOptionsFromEnv } from '@countersign/hmac/postgres'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals'
import pg from 'pg'
import { recordedAudit } from '../../../test/support/audit-recorder.js'
import { PostgresServer } from '../../../test/support/postgres-server.js'
import { parseKekRing, seal } from '../src/stores/sealing.js'
import { AUDIENCE, type Harness, hmacApp, SECRET, send, signed } from './harness.js'

const KEK = `k1:${randomBytes(32).toString('base64')}`
const OTHER = `k2:${randomBytes(32).toString('base64')}`
const migration = readFileSync(new URL('../migrations/0001-internal-service-hmac-secrets.sql', import.meta.url), 'utf8')

let server: PostgresServer
let db: pg.Pool
let app: Harness | undefined
beforeAll(async () => {
  server = await PostgresServer.start()
  db = new pg.Pool({ connectionString: server.url })
  await db.query(migration)
}, 60_000)
beforeEach(() => db.query('DELETE FROM internal_service_hmac_secrets'))
afterEach(async () => {
  await app?.close()
  app = undefined
})
afterAll(async () => {
  await db.end()
  await server.stop()
})

/** Counts what reaches the database, and can be taken down. */
function countedClient() {
  const client = {
    queries: 0,
    isDown: false,
    query(text: string, values?: unknown[]) {
      client.queries += 1
      return client.isDown ? Promise.reject(new Error('down')) : db.query(text, values)
    },
  }
  return client
}

const storeOf = (client = countedClient(), keks = KEK) =>
  postgresSecrets(client, { keks, audit: recordedAudit().audit })

async function post(harness: Harness, version?: number, secret = SECRET) {
  // The rows are valid by the database's clock.
  if (harness.clock.now() < Date.now()) harness.clock.jump(Date.now() + 1000 - harness.clock.now())
  harness.clock.advance(1000)
  const headers = signed({ now: harness.clock.now(), secret, ...(version === undefined ? {} : { version }) })
  return (await send(harness.port, 'POST', '/jobs?a=1', headers)).status
}

describe('postgresSecrets behind a gate', () => {
  test('is asked once in 30 s, and at most twice by a flood of unknown versions', async () => {
    const client = countedClient()
    const secrets = storeOf(client)
    await secrets.insert({ caller: 'scheduler', version: 3, secret: SECRET })
    app = await hmacApp({ secrets, callers: ['scheduler'], audience: AUDIENCE })
    client.queries = 0
    for (let round = 0; round < 20; round += 1) expect(await post(app, 3)).toBe(200)
    expect(client.queries).toBe(1)
    client.queries = 0
    for (let version = 10; version < 40; version += 1) expect(await post(app, version)).toBe(401)
    expect(client.queries).toBeLessThanOrEqual(2)
  })

  test('that is down goes on with what was read for 5 minutes, then answers 503', async () => {
    const client = countedClient()
    const secrets = storeOf(client)
    await secrets.insert({ caller: 'scheduler', version: 3, secret: SECRET })
    app = await hmacApp({ secrets, callers: ['scheduler'] })
    expect(await post(app)).toBe(200)
    client.isDown = true
    app.clock.advance(290_000)
    expect(await post(app)).toBe(200)
    app.clock.advance(10_000)
    expect(await post(app)).toBe(503)
    expect(app.last()).toBe('secret_store')
    client.isDown = false
    app.clock.advance(1000)
    expect(await post(app)).toBe(200)
  })

  test('counts a revocation at once where it is made', async () => {
    const secrets = storeOf()
    await secrets.insert({ caller: 'scheduler', version: 3, secret: SECRET })
    app = await hmacApp({ secrets, callers: ['scheduler'] })
    expect(await post(app)).toBe(200)
    await secrets.revoke('scheduler', 3)
    expect(await post(app)).toBe(401)
    expect(app.last()).toBe('no_active_secret')
  })

  test('is asked nothing by wrong MACs, once the secrets are read', async () => {
    const client = countedClient()
    const secrets = storeOf(client)
    await secrets.insert({ caller: 'scheduler', version: 3, secret: SECRET })
    app = await hmacApp({ secrets, callers: ['scheduler'] })
    expect(await post(app, 3)).toBe(200)
    client.queries = 0
    for (let round = 0; round < 20; round += 1) expect(await post(app, 3, 'x'.repeat(40))).toBe(401)
    expect(client.queries).toBe(0)
  })

  test('is asked once by many requests at once, and once by those of a caller that has none', async () => {
    const client = countedClient()
    const secrets = storeOf(client)
    await secrets.insert({ caller: 'scheduler', version: 3, secret: SECRET })
    app = await hmacApp({ secrets, callers: ['scheduler', 'worker'] })
    const harness = app
    harness.clock.jump(Date.now() + 1000 - harness.clock.now())
    client.queries = 0
    const sendAs = async (caller: string, index: number) => {
      const headers = signed({ now: harness.clock.now(), caller, target: `/jobs/${index}` })
      return (await send(harness.port, 'POST', `/jobs/${index}`, headers)).status
    }
    expect(new Set(await Promise.all(Array.from({ length: 30 }, (_, index) => sendAs('scheduler', index))))).toEqual(
      new Set([200]),
    )
    expect(client.queries).toBe(1)
    client.queries = 0
    expect(new Set(await Promise.all(Array.from({ length: 30 }, (_, index) => sendAs('worker', index))))).toEqual(
      new Set([401]),
    )
    expect(app.last()).toBe('no_active_secret')
    // Of its own, and of the shared secret.
    expect(client.queries).toBe(2)
  })

  test('learns of a rotation that was not announced with the first request of the new version', async () => {
    const secrets = storeOf()
    await secrets.insert({ caller: 'scheduler', version: 3, secret: SECRET })
    app = await hmacApp({ secrets, callers: ['scheduler'] })
    expect(await post(app, 3)).toBe(200)
    await storeOf().rotate('scheduler', { secret: `${SECRET}-4` })
    expect(await post(app, 4, `${SECRET}-4`)).toBe(200)
    expect(await post(app, 3)).toBe(200)
  })

  test('[hmac-revoked] passes a revocation made elsewhere on within its cache time', async () => {
    const secrets = storeOf()
    await secrets.insert({ caller: 'scheduler', version: 3, secret: SECRET })
    app = await hmacApp({ secrets, callers: ['scheduler'] })
    expect(await post(app, 3)).toBe(200)
    await storeOf().revoke('scheduler', 3)
    app.clock.advance(28_000)
    expect(await post(app, 3)).toBe(200)
    app.clock.advance(1000)
    expect(await post(app, 3)).toBe(401)
    expect(app.last()).toBe('no_active_secret')
  })

  test('never goes on past an expiry, however stale', async () => {
    const client = countedClient()
    const secrets = storeOf(client)
    await secrets.insert({ caller: 'scheduler', version: 3, secret: SECRET, expiresAt: Date.now() + 60_000 })
    app = await hmacApp({ secrets, callers: ['scheduler'] })
    expect(await post(app, 3)).toBe(200)
    client.isDown = true
    app.clock.advance(50_000)
    expect(await post(app, 3)).toBe(200)
    app.clock.advance(10_000)
    expect(await post(app, 3)).toBe(401)
    expect(app.last()).toBe('no_active_secret')
  })
})

describe('a row', () => {
  const rewrite = (assignment: string, values: unknown[] = []) =>
    db.query(`UPDATE internal_service_hmac_secrets SET ${assignment}`, values)

  async function reasonWith(keks = KEK, version?: number): Promise<string | undefined> {
    await app?.close()
    app = await hmacApp({ secrets: storeOf(countedClient(), keks), callers: ['scheduler'] })
    const status = await post(app, version)
    if (status === 503) expect(app.events.at(-1)).toMatchObject({ severity: 'critical', outcome: 'error' })
    return app.last()
  }

  test.each([
    ['from another caller', `caller = 'scheduler'`, { caller: 'other', version: 3 }],
    ['from another version', 'key_version = 3', { caller: 'scheduler', version: 2 }],
    ['from the shared secret', `caller = 'scheduler'`, { caller: '*shared*', version: 3 }],
  ])('[hmac-row-moved] that was moved here %s is unavailable', async (_what, assignment, place) => {
    await storeOf().insert({ ...place, secret: SECRET })
    await rewrite(assignment)
    expect(await reasonWith()).toBe('secret_unreadable')
    expect(await reasonWith(KEK, 3)).toBe('secret_unreadable')
  })

  test('[hmac-row-moved] of another namespace does not open', async () => {
    const client = countedClient()
    await postgresSecrets(client, { keks: KEK, namespace: 'other', audit: recordedAudit().audit }).insert({
      ...{ caller: 'scheduler', version: 3, secret: SECRET },
    })
    expect(await reasonWith()).toBe('secret_unreadable')
  })

  test('[hmac-row-moved] whose kek id was changed to another that the ring has does not open', async () => {
    await storeOf().insert({ caller: 'scheduler', version: 3, secret: SECRET })
    await rewrite(`kek_id = 'k2'`)
    // Even to the same key under another name.
    expect(await reasonWith(`${KEK},k2:${KEK.slice(3)}`)).toBe('secret_unreadable')
  })

  test('[hmac-unknown-kek] of an unknown key-encryption key is unavailable, not a missing secret', async () => {
    await storeOf().insert({ caller: 'scheduler', version: 3, secret: SECRET })
    expect(await reasonWith(OTHER)).toBe('secret_unreadable')
    expect(await reasonWith(OTHER, 3)).toBe('secret_unreadable')
    expect(await reasonWith(`${OTHER},${KEK}`)).toBe('granted')
  })

  test.each([
    ['a tag of 4 bytes', (iv: Buffer, tag: Buffer, text: Buffer) => [iv, tag.subarray(0, 4), text]],
    ['a tag of 15 bytes', (iv: Buffer, tag: Buffer, text: Buffer) => [iv, tag.subarray(0, 15), text]],
    ['no tag', (iv: Buffer, _tag: Buffer, text: Buffer) => [iv, text]],
    ['nothing', () => []],
    [
      'another byte',
      (iv: Buffer, tag: Buffer, text: Buffer) => [iv, tag, Buffer.concat([text.subarray(1), Buffer.from([1])])],
    ],
    ['no ciphertext', (iv: Buffer, tag: Buffer) => [iv, tag]],
  ])('[hmac-short-tag] with %s does not open', async (_what, change) => {
    await storeOf().insert({ caller: 'scheduler', version: 3, secret: SECRET })
    const { rows } = await db.query<{ ciphertext: string }>('SELECT ciphertext FROM internal_service_hmac_secrets')
    const sealed = Buffer.from(rows[0]?.ciphertext ?? '', 'base64')
    const parts = change(sealed.subarray(0, 12), sealed.subarray(12, 28), sealed.subarray(28))
    await rewrite('ciphertext = $1', [Buffer.concat(parts).toString('base64')])
    expect(await reasonWith()).toBe('secret_unreadable')
  })

  test('that holds a short secret is no use, whoever sealed it', async () => {
    const ring = parseKekRing(KEK)
    const { sealed } = seal(ring, { namespace: 'cs', caller: 'scheduler', version: 3 }, Buffer.from('short'))
    await storeOf().insert({ caller: 'scheduler', version: 3, secret: SECRET })
    await rewrite('ciphertext = $1', [sealed])
    expect(await reasonWith()).toBe('secret_unreadable')
  })

  test('that does not open does no harm beside one that verifies', async () => {
    await storeOf().insert({ caller: 'other', version: 4, secret: SECRET })
    await rewrite(`caller = 'scheduler'`)
    await storeOf().insert({ caller: 'scheduler', version: 3, secret: SECRET })
    expect(await reasonWith()).toBe('granted')
    expect(await reasonWith(KEK, 3)).toBe('granted')
    expect(await reasonWith(KEK, 4)).toBe('secret_unreadable')
    app?.clock.advance(1000)
    expect(app && (await post(app, undefined, 'x'.repeat(40)))).toBe(503)
  })

  test('holds nothing that can be read', async () => {
    await storeOf().insert({ caller: 'scheduler', version: 3, secret: SECRET })
    const { rows } = await db.query('SELECT * FROM internal_service_hmac_secrets')
    const text = JSON.stringify(rows)
    expect(text).not.toContain(SECRET)
    expect(text).not.toContain(Buffer.from(SECRET).toString('base64').slice(0, 20))
  })
})

describe('a secret', () => {
  test('[hmac-rotate-race] that two processes rotate at once gets one version, and the other is told', async () => {
    const pools = [0, 1].map(() => new pg.Pool({ connectionString: server.url }))
    const stores = pools.map((pool) => postgresSecrets(pool, { keks: KEK, audit: recordedAudit().audit }))
    await stores[0]?.insert({ caller: 'scheduler', version: 1, secret: SECRET })
    for (let round = 0; round < 20; round += 1) {
      const before = await stores[0]?.versions('scheduler')
      const results = await Promise.allSettled(stores.map((store) => store.rotate('scheduler')))
      const made = results.filter(({ status }) => status === 'fulfilled').length
      const errors = results.flatMap((result) => (result.status === 'rejected' ? [result.reason.code] : []))
      expect(errors.every((code) => code === 'ERR_HMAC_ROTATION_CONFLICT')).toBe(true)
      const after = (await stores[1]?.versions('scheduler')) ?? []
      expect(after).toHaveLength((before?.length ?? 0) + made)
      expect(after.filter(({ expiresAt }) => expiresAt === undefined).map(({ version }) => version)).toEqual([
        after.length,
      ])
    }
    await Promise.all(pools.map((pool) => pool.end()))
  })

  test.each([
    ['a new version', false],
    ['a pending one put in force', true],
  ])('[hmac-rotate-race] is rotated once by two processes that read it at once: %s', async (_what, isPending) => {
    let reads = 0
    let release: () => void = () => undefined
    const bothHaveRead = new Promise<void>((resolve) => {
      release = resolve
    })
    const atOnce: PostgresClient = {
      async query(text, values) {
        if (!text.startsWith('SELECT')) await bothHaveRead
        const answer = await db.query(text, values)
        if (text.startsWith('SELECT')) reads += 1
        if (reads === 2) release()
        return answer
      },
    }
    const admin = storeOf()
    await admin.insert({ caller: 'scheduler', version: 1, secret: SECRET })
    if (isPending) await admin.rotate('scheduler', { pending: true })
    const stores = [0, 1].map(() => postgresSecrets(atOnce, { keks: KEK, audit: recordedAudit().audit }))
    const results = await Promise.allSettled(stores.map((store) => store.rotate('scheduler')))
    expect(results.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected'])
    const refused = results.find((result) => result.status === 'rejected')
    expect(refused?.reason).toMatchObject({ code: 'ERR_HMAC_ROTATION_CONFLICT' })
    const versions = await admin.versions('scheduler')
    expect(versions.map(({ version, isPending, expiresAt }) => [version, isPending, expiresAt === undefined])).toEqual([
      [2, false, true],
      [1, false, false],
    ])
  })

  test('moves to another key-encryption key by rewrap', async () => {
    await storeOf().insert({ caller: 'scheduler', version: 1, secret: SECRET })
    const { audit, events } = recordedAudit()
    const both = postgresSecrets(countedClient(), { keks: `${OTHER},${KEK}`, audit })
    expect([await both.rewrap(), await both.rewrap()]).toEqual([1, 0])
    expect(events.map(({ type, attributes }) => [type, { ...attributes }])).toEqual([
      ['hmac.secret.rewrapped', { rows: 1 }],
    ])
    expect((await storeOf().get('scheduler', 1))?.key).toBeUndefined()
    const [moved] = await storeOf(countedClient(), OTHER).versions('scheduler')
    expect(moved?.key?.export().toString()).toBe(SECRET)
  })

  test('[hmac-short-tag] is taken over from the envelope of the field, but not with a short tag', async () => {
    const kek = randomBytes(32)
    const iv = randomBytes(12)
    const cipher = createCipheriv('aes-256-gcm', kek, iv)
    cipher.setAAD(Buffer.from('scheduler:7'))
    const text = Buffer.concat([cipher.update(SECRET), cipher.final()])
    const envelope = (tag: Buffer) => [iv, tag, text].map((part) => part.toString('base64')).join(':')
    const secrets = storeOf()
    const row = { caller: 'scheduler', version: 7, kek }
    await expect(
      secrets.importSealed({ ...row, envelope: envelope(cipher.getAuthTag().subarray(0, 4)) }),
    ).rejects.toThrow('does not open')
    const good = envelope(cipher.getAuthTag())
    for (const wrong of [
      { envelope: `${good}:` },
      { envelope: '' },
      { envelope: 'a:b' },
      { caller: 'other' },
      { version: 8 },
    ]) {
      await expect(secrets.importSealed({ ...row, envelope: good, ...wrong })).rejects.toMatchObject({
        code: 'ERR_HMAC_SEALED_UNREADABLE',
      })
    }
    await expect(secrets.importSealed({ ...row, envelope: good, kek: randomBytes(16) })).rejects.toThrow('32 bytes')
    const expiresAt = Date.now() + 60_000
    await secrets.importSealed({ ...row, envelope: good, expiresAt })
    expect(Math.abs(((await secrets.get('scheduler', 7))?.expiresAt ?? 0) - expiresAt)).toBeLessThan(5000)
    expect((await secrets.get('scheduler', 7))?.key?.export().toString()).toBe(SECRET)
    await expect(secrets.insert({ caller: 'scheduler', version: 7, secret: SECRET })).rejects.toThrow('exists')
  })
})

test.each([
  ['no keys', ''],
  ['a key without a name', randomBytes(32).toString('base64')],
  ['a short key', `k1:${randomBytes(16).toString('base64')}`],
  ['one name twice', `${KEK},${KEK}`],
  ['an empty entry', `${KEK},`],
])('a ring with %s cannot be configured, and is not shown', (_what, keks) => {
  const make = () => postgresSecrets(db, { keks })
  expect(make).toThrow('"keks" must be')
  expect(make).not.toThrow(KEK.slice(3))
})

test('the ring of the environment is read, under the name that the app has, from a file too', () => {
  expect(postgresSecretsOptionsFromEnv({ COUNTERSIGN_HMAC_KEKS: KEK })).toEqual({ keks: KEK })
  expect(postgresSecretsOptionsFromEnv({ INTERNAL_KEKS: KEK }, { names: { keks: 'INTERNAL_KEKS' } })).toEqual({
    keks: KEK,
  })
  expect(() => postgresSecretsOptionsFromEnv({})).toThrow('COUNTERSIGN_HMAC_KEKS must hold')
  expect(() => postgresSecretsOptionsFromEnv({ COUNTERSIGN_HMAC_KEKS: '' })).toThrow('"keks" must be')
  expect(() => postgresSecretsOptionsFromEnv({ COUNTERSIGN_HMAC_KEKS_FILE: '/nowhere' })).toThrow('cannot be read')
})
