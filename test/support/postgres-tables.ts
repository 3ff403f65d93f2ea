import { readdirSync, readFileSync } from 'node:fs'
import { PGlite } from '@electric-sql/pglite'
import pg from 'pg'
import { PostgresServer } from './postgres-server.js'

/** The packages with migrations, in the order in which these are run. */
const PACKAGES = ['postgres', 'hmac', 'mcp-credential', 'settings-session']

/** All migrations, as `countersign migrate` runs them. */
export const migrations: string = PACKAGES.flatMap((name) => {
  const folder = new URL(`../../packages/${name}/migrations/`, import.meta.url)
  const files = readdirSync(folder).sort()
  return files.map((file) => readFileSync(new URL(file, folder), 'utf8'))
}).join('\n')

/** A server with all tables, and a pool of connections to it. */
export async function startPostgres(settings: pg.PoolConfig = {}): Promise<{
  readonly server: PostgresServer
  readonly pool: pg.Pool
  stop(): Promise<void>
}> {
  const server = await PostgresServer.start()
  const pool = poolOf(server.url, settings)
  await pool.query(migrations)
  return {
    server,
    pool,
    async stop() {
      server.resume()
      await pool.end()
      await server.stop()
    },
  }
}

/** A pool that does not end the process when its server goes away. */
export function poolOf(connectionString: string, settings: pg.PoolConfig = {}): pg.Pool {
  const timeouts = { connectionTimeoutMillis: 2000, query_timeout: 20_000 }
  return new pg.Pool({ connectionString, ...timeouts, ...settings }).on('error', () => undefined)
}

/** PostgreSQL in this process, with all tables. */
export async function startPglite(): Promise<PGlite> {
  const database = await PGlite.create()
  await database.exec(migrations)
  return database
}
