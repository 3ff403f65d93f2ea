import { randomBytes } from 'node:crypto'
import { postgresSecrets } from '@countersign/hmac/postgres'
import { afterAll, beforeAll, beforeEach } from '@jest/globals'
import pg from 'pg'
import { recordedAudit } from '../../../test/support/audit-recorder.js'
import { PostgresServer } from '../../../test/support/postgres-server.js'
import { migrations as migration } from '../../../test/support/postgres-tables.js'
import { type Harness, SECRET, send, signed } from './harness.js'

/** The ring of the tests, and one of another key. */
export const KEK = `k1:${randomBytes(32).toString('base64')}`
export const OTHER = `k2:${randomBytes(32).toString('base64')}`

export { migrations as migration } from '../../../test/support/postgres-tables.js'

/** A server for the file that calls this; the table is empty before each test. */
export function usePostgres() {
  let server: PostgresServer
  let pool: pg.Pool
  beforeAll(async () => {
    server = await PostgresServer.start()
    pool = new pg.Pool({ connectionString: server.url })
    await pool.query(migration)
  }, 60_000)
  beforeEach(() => pool.query('DELETE FROM internal_service_hmac_secrets'))
  afterAll(async () => {
    await pool.end()
    await server.stop()
  })

  /** Counts what reaches the database, and can be taken down. */
  function countedClient() {
    const client = {
      queries: 0,
      isDown: false,
      query(text: string, values?: unknown[]) {
        client.queries += 1
        return client.isDown ? Promise.reject(new Error('down')) : pool.query(text, values)
      },
    }
    return client
  }

  return {
    url: () => server.url,
    query: (text: string, values?: unknown[]) => pool.query(text, values),
    countedClient,
    storeOf: (client = countedClient(), keks = KEK) => postgresSecrets(client, { keks, audit: recordedAudit().audit }),
  }
}

/** Posts as the scheduler a second later than before; the status. */
export async function post(harness: Harness, version?: number, secret = SECRET): Promise<number> {
  // The rows are valid by the database's clock.
  if (harness.clock.now() < Date.now()) harness.clock.jump(Date.now() + 1000 - harness.clock.now())
  harness.clock.advance(1000)
  const headers = signed({ now: harness.clock.now(), secret, ...(version === undefined ? {} : { version }) })
  return (await send(harness.port, 'POST', '/jobs?a=1', headers)).status
}
