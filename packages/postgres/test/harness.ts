import { afterAll, afterEach, beforeAll } from '@jest/globals'
import type pg from 'pg'
import { type HangingRedis, hangingRedis } from '../../../test/support/hanging-redis.js'
import type { PostgresServer } from '../../../test/support/postgres-server.js'
import { poolOf, startPostgres } from '../../../test/support/postgres-tables.js'

/** Tries again until it holds, for as long as a test may last. */
export async function eventually<T>(work: () => Promise<T>, holds: (value: T) => boolean = () => true): Promise<T> {
  const untilMs = performance.now() + 20_000
  for (;;) {
    try {
      const value = await work()
      if (holds(value) || performance.now() > untilMs) return value
    } catch (error) {
      if (performance.now() > untilMs) throw error
    }
    await new Promise((resolve) => setTimeout(resolve, 25))
  }
}

/** What a call rejects with when PostgreSQL cannot be asked. */
export const unavailable = { name: 'UnavailableError', code: 'ERR_COUNTERSIGN_UNAVAILABLE' } as const

/** A server with all tables, and a proxy before it that can hang, for the file that calls this. */
export function usePostgres() {
  let server: PostgresServer
  let pool: pg.Pool
  let proxy: HangingRedis
  let stop: () => Promise<void>
  const pools: pg.Pool[] = []
  beforeAll(async () => {
    ;({ server, pool, stop } = await startPostgres())
    proxy = await hangingRedis(server.port)
  }, 60_000)
  afterEach(async () => {
    server.resume()
    proxy.resume()
    proxy.reset()
    await Promise.all(pools.splice(0).map((one) => one.end()))
  })
  afterAll(async () => {
    await proxy.close()
    await stop()
  })
  const opened = (url: string, settings: pg.PoolConfig = {}): pg.Pool => {
    const made = poolOf(url, settings)
    pools.push(made)
    return made
  }
  return {
    server: () => server,
    pool: () => pool,
    proxy: () => proxy,
    /** A pool of connections of its own, by way of the proxy or not. */
    direct: (settings?: pg.PoolConfig) => opened(server.url, settings),
    proxied: (settings?: pg.PoolConfig) =>
      opened(server.url.replace(`:${server.port}/`, `:${new URL(proxy.url).port}/`), settings),
    count: async (table: string) => {
      const { rows } = await pool.query(`SELECT count(*)::int AS count FROM ${table}`)
      return (rows[0] as { count: number }).count
    },
  }
}
