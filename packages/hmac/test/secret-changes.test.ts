import { createCipheriv, randomBytes } from 'node:crypto'
import { type PostgresClient, postgresSecrets, postgresSecretsOptionsFromEnv } from '@countersign/hmac/postgres'
import { describe, expect, test } from '@jest/globals'
import pg from 'pg'
import { recordedAudit } from '../../../test/support/audit-recorder.js'
import { SECRET } from './harness.js'
import { KEK, OTHER, usePostgres } from './postgres-harness.js'

const db = usePostgres()
const { countedClient, storeOf } = db

describe('a secret', () => {
  test('[hmac-rotate-race] that two processes rotate concurrently gets one version, and the other rotation is refused', async () => {
    const pools = [0, 1].map(() => new pg.Pool({ connectionString: db.url() }))
    const stores = pools.map((pool) => postgresSecrets(pool, { keks: KEK, audit: recordedAudit().audit }))
    await stores[0]?.insert({ caller: 'scheduler', version: 1, secret: SECRET })
    for (let round = 0; round < 20; round += 1) {
      const before = await stores[0]?.versions('scheduler')
      const results = await Promise.allSettled(stores.map((store) => store.rotate('scheduler')))
      const made = results.filter(({ status }) => status === 'fulfilled').length
      const errors = results.flatMap((result) => (result.status === 'rejected' ? [result.reason.code] : []))
      expect(errors.every((code) => code === 'ERR_COUNTERSIGN_HMAC_ROTATION_CONFLICT')).toBe(true)
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
  ])('[hmac-rotate-race] is rotated once by two processes that read it concurrently: %s', async (_what, isPending) => {
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
    expect(refused?.reason).toMatchObject({ code: 'ERR_COUNTERSIGN_HMAC_ROTATION_CONFLICT' })
    const versions = await admin.versions('scheduler')
    expect(versions.map(({ version, isPending, expiresAt }) => [version, isPending, expiresAt === undefined])).toEqual([
      [2, false, true],
      [1, false, false],
    ])
  })

  test('is re-encrypted with another key-encryption key', async () => {
    await storeOf().insert({ caller: 'scheduler', version: 1, secret: SECRET })
    const { audit, events } = recordedAudit()
    const both = postgresSecrets(countedClient(), { keks: `${OTHER},${KEK}`, audit })
    expect([await both.reencrypt(), await both.reencrypt()]).toEqual([1, 0])
    expect(events.map(({ type, attributes }) => [type, { ...attributes }])).toEqual([
      ['hmac.secret.reencrypted', { rows: 1 }],
    ])
    expect((await storeOf().versions('scheduler'))[0]?.key).toBeUndefined()
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
    ).rejects.toThrow('cannot be decrypted')
    const good = envelope(cipher.getAuthTag())
    for (const wrong of [
      { envelope: `${good}:` },
      { envelope: '' },
      { envelope: 'a:b' },
      { caller: 'other' },
      { version: 8 },
    ]) {
      await expect(secrets.importSealed({ ...row, envelope: good, ...wrong })).rejects.toMatchObject({
        code: 'ERR_COUNTERSIGN_HMAC_SEALED_UNREADABLE',
      })
    }
    await expect(secrets.importSealed({ ...row, envelope: good, kek: randomBytes(16) })).rejects.toThrow('32 bytes')
    const expiresAt = Date.now() + 60_000
    await secrets.importSealed({ ...row, envelope: good, expiresAt })
    const [taken] = await secrets.versions('scheduler')
    expect([taken?.version, taken?.key?.export().toString()]).toEqual([7, SECRET])
    expect(Math.abs((taken?.expiresAt ?? 0) - expiresAt)).toBeLessThan(5000)
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
  expect(() => postgresSecretsOptionsFromEnv({ COUNTERSIGN_HMAC_KEKS: '' })).toThrow('"COUNTERSIGN_HMAC_KEKS" must be')
  expect(() => postgresSecretsOptionsFromEnv({ COUNTERSIGN_HMAC_KEKS_FILE: '/nowhere' })).toThrow('cannot be read')
})
