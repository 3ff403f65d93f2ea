import { createAudit } from '@countersign/core'
import { createMcpCredentials } from '@countersign/mcp-credential'
import { postgresCredentials } from '@countersign/mcp-credential/postgres'
import { postgresReplay } from '@countersign/postgres'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import type pg from 'pg'
import { PostgresServer } from '../../../test/support/postgres-server.js'
import { poolOf } from '../../../test/support/postgres-tables.js'
import { refuse, succeed, succeedJson } from './command.js'

const patient = { commandTimeoutMs: 20_000 }
let server: PostgresServer
let pool: pg.Pool
let env: Record<string, string>
beforeAll(async () => {
  server = await PostgresServer.start()
  pool = poolOf(server.url)
  env = { DATABASE_URL: server.url }
}, 60_000)
afterAll(async () => {
  await pool.end()
  await server.stop()
})

const tables = async (schema: string) => {
  const { rows } = await pool.query('SELECT tablename FROM pg_tables WHERE schemaname = $1 ORDER BY 1', [schema])
  return (rows as { tablename: string }[]).map(({ tablename }) => tablename)
}

test('creates the tables of all stores in the schema that is named, and there alone', async () => {
  await refuse(['migrate', '--schema', 'Auth'], 1, /schema "Auth" does not exist/, { env })
  await pool.query('CREATE SCHEMA "Auth"')
  expect(await succeed(['migrate', '--schema', 'Auth'], { env })).toMatch(
    /^ran postgres\/0001-answers-and-replay\.sql\n/,
  )
  expect(await tables('public')).toEqual([])
  expect(await tables('Auth')).toEqual(
    expect.arrayContaining([
      'countersign_answers',
      'countersign_legacy_usage',
      'countersign_replay',
      'internal_service_hmac_secrets',
    ]),
  )
  const store = postgresReplay(pool, { schema: 'Auth', commandTimeoutMs: 20_000 })
  expect([await store.claim('a', 60_000), await store.claim('a', 60_000)]).toEqual(['fresh', 'seen'])
})

test('changes nothing when it is run again, also by several at once', async () => {
  await Promise.all([1, 2, 3].map(() => succeed(['migrate'], { env })))
  await pool.query("INSERT INTO countersign_replay VALUES ('cs', 'a', 'b', 9e15)")
  const { migrations } = (await succeedJson(['migrate'], { env })) as { migrations: readonly string[] }
  expect(migrations).toContain('hmac/0003-legacy-usage.sql')
  expect((await pool.query('SELECT 1 FROM countersign_replay')).rows).toHaveLength(1)
})

test('prints the SQL, for tools that run migrations by themselves', async () => {
  const printed = await succeed(['migrate', '--print', '--schema', 'auth'])
  expect(printed).toContain('CREATE TABLE IF NOT EXISTS "auth".countersign_replay (')
  expect(printed).toContain('CREATE TABLE IF NOT EXISTS "auth"."internal_service_hmac_secrets" (')
  // An index is named without a schema.
  expect(printed.replace(/INDEX IF NOT EXISTS \w+/g, '')).not.toMatch(/[^."\w](?:countersign|internal)_\w/)
  expect(printed).toContain('ON "auth".countersign_replay (gone_at)')
})

test('puts the tables of the stores where they look for them, wherever that of the secrets is', async () => {
  const printed = await succeed(['migrate', '--print'], { env: { COUNTERSIGN_HMAC_SCHEMA: 'secrets' } })
  expect(printed).toContain('CREATE TABLE IF NOT EXISTS countersign_replay (')
  expect(printed).toContain('CREATE TABLE IF NOT EXISTS "secrets"."internal_service_hmac_secrets" (')
})

test('leaves another table of the name of the secrets alone, and does nothing then', async () => {
  await pool.query('CREATE SCHEMA other; CREATE TABLE other.internal_service_hmac_secrets (id int)')
  await refuse(['migrate', '--schema', 'other'], 2, /is a different table: it has no column "caller"/, { env })
  expect(await tables('other')).toEqual(['internal_service_hmac_secrets'])
})

test('the commands on credentials and sessions work on these tables', async () => {
  await succeed(['migrate'], { env })
  const credentials = createMcpCredentials({ store: postgresCredentials(pool, patient), audit: createAudit() })
  const issued = await credentials.issue({ threadId: 't-1', providerInstanceId: 'p-1' })
  const listed = await succeedJson(['mcp', 'list', '--thread', 't-1'], { env })
  expect(JSON.stringify(listed)).toContain(issued.credentialId)
  await succeed(['mcp', 'revoke', issued.credentialId], { env })
  expect((await credentials.resolve(issued.token)).standing).toBe('revoked')
  expect(await succeedJson(['session', 'list', 'slack', 'U1'], { env })).toEqual([])
  // Another store is meant when it is named, or REDIS_URL is set.
  await refuse(['mcp', 'list', '--store', 'redis'], 2, /REDIS_URL is not set/, { env })
})

test('the namespace of the environment is that of the stores in PostgreSQL, too', async () => {
  await succeed(['migrate'], { env })
  const store = postgresCredentials(pool, { ...patient, namespace: 'billing' })
  const credentials = createMcpCredentials({ store, audit: createAudit() })
  const { token } = await credentials.issue({ threadId: 't-2', providerInstanceId: 'p-2' })
  await succeed(['mcp', 'revoke', '--thread', 't-2'], { env: { ...env, COUNTERSIGN_REDIS_NAMESPACE: 'billing' } })
  expect((await credentials.resolve(token)).standing).toBe('revoked')
})
