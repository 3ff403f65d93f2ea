import { inspectSecretsTable, postgresSecrets } from '@countersign/hmac/postgres'
import { PGlite } from '@electric-sql/pglite'
import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals'
import { recordedAudit } from '../../../test/support/audit-recorder.js'
import { SECRET } from './harness.js'
import { KEK, migration } from './postgres-harness.js'

let db: PGlite
beforeAll(() => {
  db = new PGlite()
}, 60_000)
afterAll(() => db.close())
beforeEach(() => db.exec('DROP SCHEMA IF EXISTS other CASCADE; DROP TABLE IF EXISTS internal_service_hmac_secrets'))

test('the table of the migrations is as it must be, and none is none', async () => {
  expect(await inspectSecretsTable(db)).toEqual({ exists: false, differences: [], missing: [] })
  await db.exec(migration)
  expect(await inspectSecretsTable(db)).toEqual({ exists: true, differences: [], missing: [] })
})

test('what a later migration adds is missing, and no difference', async () => {
  await db.exec(migration)
  await db.exec('ALTER TABLE internal_service_hmac_secrets DROP COLUMN accepts_shared')
  expect(await inspectSecretsTable(db)).toEqual({ exists: true, differences: [], missing: ['accepts_shared'] })
})

test.each([
  [
    'other columns',
    'CREATE TABLE internal_service_hmac_secrets (id serial, caller varchar(64), version int NOT NULL, secret_enc text)',
    [
      'it has no column "key_version"',
      'it has no column "ciphertext"',
      'it has no column "kek_id"',
      'it has no column "is_pending"',
      'it has no column "not_before"',
      'it has no column "created_at"',
      'it has no column "expires_at"',
      'it has no column "revoked_at"',
      'it has an additional column "version", which must have a value',
    ],
  ],
  [
    'another type',
    `${migration}; ALTER TABLE internal_service_hmac_secrets ALTER key_version TYPE bigint`,
    ['"key_version" is bigint, not integer'],
  ],
  [
    'no primary key',
    `${migration}; ALTER TABLE internal_service_hmac_secrets DROP CONSTRAINT internal_service_hmac_secrets_pkey`,
    ['(caller, key_version) is not its primary key'],
  ],
])('a table of the same name with %s is named as another one', async (_what, sql, differences) => {
  await db.exec(sql)
  expect((await inspectSecretsTable(db)).differences).toEqual(differences)
})

test('secrets are in the table and schema that the options name', async () => {
  await db.exec('CREATE SCHEMA other; CREATE TABLE internal_service_hmac_secrets (id int)')
  await db.exec(migration.replaceAll('internal_service_hmac_secrets', '"other"."Keys"'))
  const place = { schema: 'other', table: 'Keys' }
  expect((await inspectSecretsTable(db, place)).differences).toEqual([])
  const store = postgresSecrets(db, { keks: KEK, audit: recordedAudit().audit, ...place })
  await store.insert({ caller: 'a', version: 1, secret: SECRET })
  await store.rotate('a')
  await store.retire('a', 1, Date.now())
  await store.acceptShared('a', true)
  expect((await store.list()).map(({ version }) => version)).toEqual([2, 1])
  expect(await store.forget('a', 1)).toEqual([1])
  const { rows } = await db.query('SELECT key_version, accepts_shared FROM other."Keys"')
  expect(rows).toEqual([{ key_version: 2, accepts_shared: true }])
})

test.each(['', 'a b', 'a"; DROP TABLE x; --', 'a'.repeat(64), '1a'])('a name that is none is refused: %s', (table) => {
  expect(() => postgresSecrets(db, { keks: KEK, table })).toThrow('"table"')
  expect(() => postgresSecrets(db, { keks: KEK, schema: table })).toThrow('"schema"')
})
