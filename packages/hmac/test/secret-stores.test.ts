import { randomBytes } from 'node:crypto'
import { secretsFromEnv } from '@countersign/hmac'
import { type PostgresClient, postgresSecrets } from '@countersign/hmac/postgres'
import { PGlite } from '@electric-sql/pglite'
import { afterAll, beforeAll, describe, test } from '@jest/globals'
import pg from 'pg'
import { PostgresServer } from '../../../test/support/postgres-server.js'
import { type MakeSecretStore, secretStoreContract } from '../../../test/support/secret-store-contract.js'
import { migration } from './postgres-harness.js'

const keks = `k1:${randomBytes(32).toString('base64')}`
const audited = (audit: Parameters<MakeSecretStore>[0]) => (audit === undefined ? {} : { audit })

function contract(make: MakeSecretStore): void {
  for (const { title, run } of secretStoreContract(make)) test(title, run)
}

function postgresStore(client: () => PostgresClient): MakeSecretStore {
  return async (audit) => {
    await client().query('DELETE FROM internal_service_hmac_secrets')
    return postgresSecrets(client(), { keks, ...audited(audit) })
  }
}

describe('[hmac-store-contract] secrets of the environment', () => {
  const env = { COUNTERSIGN_HMAC_SECRET_SCHEDULER: 'a-secret-of-the-environment-that-is-long' }
  contract((audit) => secretsFromEnv(env, { callers: ['scheduler'], ...audited(audit) }))
})

describe('[hmac-store-contract] secrets in PGlite', () => {
  let db: PGlite
  beforeAll(async () => {
    db = new PGlite()
    await db.exec(migration)
  }, 60_000)
  afterAll(() => db.close())
  contract(postgresStore(() => db))
})

describe('[hmac-store-contract] secrets in a PostgreSQL server, through a pool of pg', () => {
  let server: PostgresServer
  let pool: pg.Pool
  beforeAll(async () => {
    server = await PostgresServer.start()
    pool = new pg.Pool({ connectionString: server.url })
    await pool.query(migration)
    // It can be run again.
    await pool.query(migration)
  }, 60_000)
  afterAll(async () => {
    await pool.end()
    await server.stop()
  })
  contract(postgresStore(() => pool))
})

// Beside the server of the test's own: whichever the machine has running.
const url = process.env.DATABASE_URL
if (url !== undefined) {
  describe('[hmac-store-contract] secrets in the PostgreSQL of DATABASE_URL', () => {
    const schema = `countersign_${randomBytes(6).toString('hex')}`
    let pool: pg.Pool
    beforeAll(async () => {
      pool = new pg.Pool({ connectionString: url, options: `-c search_path=${schema}` })
      await pool.query(`CREATE SCHEMA ${schema}`)
      await pool.query(migration)
    }, 60_000)
    afterAll(async () => {
      await pool.query(`DROP SCHEMA ${schema} CASCADE`)
      await pool.end()
    })
    contract(postgresStore(() => pool))
  })
}
