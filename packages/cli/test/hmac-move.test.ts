import { createCipheriv, randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { postgresSecrets } from '@countersign/hmac/postgres'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals'
import pg from 'pg'
import { recordedAudit } from '../../../test/support/audit-recorder.js'
import { PostgresServer } from '../../../test/support/postgres-server.js'
import { countersign, refuse, succeed, succeedJson } from './command.js'

const KEK = `k1:${randomBytes(32).toString('base64')}`
const OLD_KEK = randomBytes(32)
const SECRET = 'a-secret-of-the-tests-that-is-long-enough'

let server: PostgresServer
let pool: pg.Pool
let folder: string
let env: Record<string, string>
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'countersign-cli-'))
  writeFileSync(join(folder, 'old.kek'), `${OLD_KEK.toString('base64')}\n`)
  writeFileSync(join(folder, 'shared'), `${SECRET}\n`)
  server = await PostgresServer.start()
  pool = new pg.Pool({ connectionString: server.url })
  env = { DATABASE_URL: server.url, COUNTERSIGN_HMAC_KEKS: KEK }
}, 60_000)
beforeEach(() => pool.query('DROP SCHEMA public CASCADE; CREATE SCHEMA public; DROP SCHEMA IF EXISTS auth CASCADE'))
afterAll(async () => {
  await pool.end()
  await server.stop()
  rmSync(folder, { recursive: true, force: true })
})

const stored = async (place = {}) => {
  const store = postgresSecrets(pool, { keks: KEK, audit: recordedAudit().audit, ...place })
  return (await store.list()).map(({ caller, version, key, acceptsShared }) => [
    `${caller}/${version}`,
    key?.export().toString(),
    acceptsShared === true,
  ])
}

function envelope(caller: string, version: number, secret = SECRET): string {
  const iv = randomBytes(12)
  const cipher = createCipheriv('aes-256-gcm', OLD_KEK, iv).setAAD(Buffer.from(`${caller}:${version}`))
  const text = Buffer.concat([cipher.update(secret), cipher.final()])
  return [iv, cipher.getAuthTag(), text].map((part) => part.toString('base64')).join(':')
}

describe('a caller that has the shared secret', () => {
  beforeEach(async () => {
    await succeed(['hmac', 'migrate'], { env })
    await succeed(['hmac', 'seed', '*shared*', '--secret-file', join(folder, 'shared')], { env })
  })

  test('is not cut off by a secret of its own, unless that is said', async () => {
    await refuse(['hmac', 'seed', 'scheduler', '--generate'], 2, /"scheduler" uses the shared secret.*hmac split/, {
      env,
    })
    expect(await stored()).toEqual([['*shared*/1', SECRET, false]])
    await succeed(['hmac', 'seed', 'scheduler', '--generate', '--without-shared'], { env })
    expect((await stored()).map(([name, , shared]) => [name, shared])).toContainEqual(['scheduler/1', false])
  })

  test('is split, cut over, and split again', async () => {
    const split = await countersign(['hmac', 'split', 'scheduler', '--json'], { env })
    const { version, secret } = JSON.parse(split.stdout)
    expect([split.exitCode, version]).toEqual([0, 2])
    expect(split.stderr).toMatch(/hmac split scheduler --cut-over/)
    expect(await stored()).toEqual([
      ['*shared*/1', SECRET, false],
      ['scheduler/2', secret, true],
    ])
    expect((await countersign(['hmac', 'list'], { env })).stderr).toMatch(
      /shared secret is also accepted for scheduler/,
    )
    expect(await succeed(['hmac', 'split', 'scheduler', '--cut-over'], { env })).toMatch(
      /no longer accepted for scheduler/,
    )
    expect((await stored())[1]).toEqual(['scheduler/2', secret, false])
    expect(await succeed(['hmac', 'split', 'scheduler'], { env })).toMatch(
      /scheduler may use the shared secret as well as its own/,
    )
    expect((await stored())[1]).toEqual(['scheduler/2', secret, true])
    await succeed(['hmac', 'revoke', 'scheduler', '--all', '--yes'], { env })
    await refuse(['hmac', 'split', 'scheduler', '--cut-over'], 1, /its signers would be refused/, { env })
    await refuse(['hmac', 'split', 'scheduler'], 1, /has ended: use "hmac rotate scheduler"/, { env })
  })

  test('has the shared secret back when a version of its own was a mistake and is forgotten', async () => {
    await succeed(['hmac', 'seed', 'scheduler', '--generate', '--without-shared'], { env })
    await refuse(['hmac', 'forget', 'scheduler', '--key-version', '7'], 4, /has no version 7/, { env })
    await refuse(['hmac', 'forget', 'scheduler'], 2, /give --key-version, or --all/, { env })
    const forgot = await countersign(['hmac', 'forget', 'scheduler', '--key-version', '1'], { env })
    expect(forgot).toMatchObject({ exitCode: 0, stdout: 'forgot scheduler/1\n' })
    expect(forgot.stderr).toMatch(/the shared one is accepted for it/)
    expect((await stored()).map(([name]) => name)).toEqual(['*shared*/1'])
  })

  test('cannot be split where nothing is shared, or what is shared', async () => {
    await refuse(['hmac', 'split', '*shared*'], 2, /is what is split/, { env })
    await refuse(['hmac', 'split', 'scheduler', '--cut-over'], 4, /no secret of its own/, { env })
    await succeed(['hmac', 'revoke', '*shared*', '--all', '--yes'], { env })
    await refuse(['hmac', 'split', 'scheduler'], 2, /"scheduler" has no shared secret/, { env })
  })
})

const THEIRS = `CREATE TABLE internal_service_hmac_secrets (
  id serial PRIMARY KEY, caller text NOT NULL, version int NOT NULL, secret_enc text NOT NULL, created_by text,
  valid_until timestamptz, revoked_at timestamptz)`

describe('a table of the same name with other columns', () => {
  beforeEach(async () => {
    await pool.query(THEIRS)
    const insert =
      'INSERT INTO internal_service_hmac_secrets (caller, version, secret_enc, created_by, valid_until, revoked_at)'
    for (const [caller, version, until, revoked] of [
      ['*shared*', 1, null, null],
      ['scheduler', 3, new Date(Date.now() + 86_400_000), null],
      ['scheduler', 2, null, new Date()],
      ['scheduler', 1, new Date(Date.now() - 1000), null],
    ] as const) {
      const values = [caller, version, envelope(caller, version), 'ops', until, revoked]
      await pool.query(`${insert} VALUES ($1, $2, $3, $4, $5, $6)`, values)
    }
  })

  test('is left alone by a migration, which says what is different', async () => {
    const message = /"internal_service_hmac_secrets" is a different table: it has no column "key_version";.*--table/
    for (let time = 0; time < 2; time += 1) await refuse(['hmac', 'migrate'], 2, message, { env })
    const { rows } = await pool.query('SELECT * FROM internal_service_hmac_secrets LIMIT 1')
    expect(Object.keys(rows[0])).toEqual([
      'id',
      'caller',
      'version',
      'secret_enc',
      'created_by',
      'valid_until',
      'revoked_at',
    ])
  })

  test('and its migrations are printed as they are, or for the table that is named', async () => {
    expect(await succeed(['hmac', 'migrate', '--print'])).toContain(
      'CREATE TABLE IF NOT EXISTS internal_service_hmac_secrets',
    )
    const named = await succeed(['hmac', 'migrate', '--print', '--table', 'Keys', '--schema', 'auth'])
    expect(named).toContain('CREATE TABLE IF NOT EXISTS "auth"."Keys" (')
    expect(named).toContain('CREATE TABLE IF NOT EXISTS "auth"."countersign_legacy_usage" (')
    expect(named).not.toContain('internal_service_hmac_secrets')
    await refuse(['hmac', 'migrate', '--print', '--table', 'a b'], 2, /"table" must be a name of letters/)
  })

  test('is imported from, dry run first, into a table of another name and schema, and again', async () => {
    await pool.query('CREATE SCHEMA auth')
    const named = { ...env, COUNTERSIGN_HMAC_TABLE: 'hmac_secrets', COUNTERSIGN_HMAC_SCHEMA: 'auth' }
    const place = { table: 'hmac_secrets', schema: 'auth' }
    expect(await succeed(['hmac', 'migrate'], { env: named })).toBe(
      'ran 0001-internal-service-hmac-secrets.sql\nran 0002-accepts-shared.sql\nran 0003-legacy-usage.sql\n',
    )
    expect(await succeedJson(['hmac', 'migrate'], { env: named })).toEqual({ migrations: [] })
    const words = [
      'hmac',
      'import',
      '--from-table',
      'internal_service_hmac_secrets',
      '--kek-file',
      join(folder, 'old.kek'),
    ]
    const dry = await countersign([...words, '--dry-run'], { env: named })
    expect(dry).toMatchObject({ exitCode: 0, stdout: 'would import 2: nothing was stored\n' })
    expect(dry.stderr).toMatch(/Not read: id, created_by\..*\nSkipped: 2 expired\.\n.*no longer accepted for scheduler/)
    expect(await stored(place)).toEqual([])
    expect(await succeed([...words, '--accept-shared'], { env: named })).toBe('imported 2\n')
    expect(await succeedJson(words, { env: named })).toEqual({ imported: 0, existing: 2 })
    expect(await stored(place)).toEqual([
      ['*shared*/1', SECRET, false],
      ['scheduler/3', SECRET, true],
    ])
    const [scheduler] = await postgresSecrets(pool, { keks: KEK, ...place }).versions('scheduler')
    expect(Math.abs((scheduler?.expiresAt ?? 0) - Date.now() - 86_400_000)).toBeLessThan(600_000)
    const listed = ['hmac', 'list', '--table', 'hmac_secrets', '--schema', 'auth', '--json']
    expect(await succeedJson<unknown[]>(listed, { env })).toHaveLength(2)
  })

  test('gives nothing when one row does not open, or differs from what is stored', async () => {
    const named = { ...env, COUNTERSIGN_HMAC_TABLE: 'hmac_secrets' }
    await succeed(['hmac', 'migrate'], { env: named })
    const words = ['hmac', 'import', '--from-table', 'public.internal_service_hmac_secrets']
    const wrong = { ...named, COUNTERSIGN_HMAC_IMPORT_KEK: randomBytes(32).toString('base64') }
    const failed = await countersign(words, { env: wrong })
    expect(failed).toMatchObject({ exitCode: 1, stdout: '' })
    expect(failed.stderr).toMatch(/nothing was stored: this key does not decrypt it/)
    await succeed(['hmac', 'seed', 'scheduler', '--generate', '--key-version', '3'], { env: named })
    const right = { ...named, COUNTERSIGN_HMAC_IMPORT_KEK: OLD_KEK.toString('base64') }
    const differs = await countersign(words, { env: right })
    expect(differs).toMatchObject({ exitCode: 1 })
    expect(differs.stderr).toMatch(/scheduler\/3, and nothing was stored: it is already stored with another secret/)
    expect((await stored({ table: 'hmac_secrets' })).map(([name]) => name)).toEqual(['scheduler/3'])
  })

  test('is told when the end of a row is no moment of the database, which is not read', async () => {
    await pool.query(`ALTER TABLE internal_service_hmac_secrets
      ALTER revoked_at TYPE bigint USING (extract(epoch from revoked_at) * 1000)::bigint`)
    const named = { ...env, COUNTERSIGN_HMAC_TABLE: 'hmac_secrets' }
    await succeed(['hmac', 'migrate'], { env: named })
    const words = ['hmac', 'import', '--from-table', 'internal_service_hmac_secrets', '--dry-run']
    const done = await countersign([...words, '--kek-file', join(folder, 'old.kek')], { env: named })
    expect(done.stderr).toMatch(/Not read: id, created_by, revoked_at\..*--where/)
  })

  test('may have names of its own for the columns, and rows to leave out', async () => {
    await pool.query('ALTER TABLE internal_service_hmac_secrets RENAME version TO generation')
    const named = {
      ...env,
      COUNTERSIGN_HMAC_TABLE: 'hmac_secrets',
      COUNTERSIGN_HMAC_IMPORT_KEK: OLD_KEK.toString('hex'),
    }
    await succeed(['hmac', 'migrate'], { env: named })
    const words = ['hmac', 'import', '--from-table', 'internal_service_hmac_secrets']
    await refuse(words, 2, /cannot tell which column .* is the version: name it with --columns version=/, {
      env: named,
    })
    const columns = ['--columns', 'version=generation,envelope=secret_enc']
    const only = ['--where', "caller = '*shared*' AND created_by = 'ops'"]
    expect(await succeed([...words, ...columns, ...only], { env: named })).toBe('imported 1\n')
    await refuse([...words, '--where', 'nonsense ='], 1, /PostgreSQL refused/, { env: named })
    await refuse(['hmac', 'import', '--from-table', 'no_such'], 2, /"no_such" does not exist/, { env: named })
    await refuse(['hmac', 'import', '--from-table', 'a;b'], 2, /must be the name of a table/, { env: named })
  })
})
