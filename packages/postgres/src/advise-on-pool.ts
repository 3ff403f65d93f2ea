import { warnOnce } from '@countersign/core/gate-kit'

/** What a `pg` pool is asked. */
interface PoolOptions {
  readonly connectionTimeoutMillis?: unknown
  readonly query_timeout?: unknown
  readonly connectionString?: unknown
}

/**
 * Warns, once for each pool, of settings that hang: a socket that died unnoticed keeps its query, and so its place in the
 * pool, until the pool has no place left. Anything that is not a pool of `pg` is left alone.
 */
export function adviseOnPool(client: object): void {
  const { options, totalCount } = client as { options?: PoolOptions; totalCount?: unknown }
  if (typeof options !== 'object' || options === null || typeof totalCount !== 'number') return
  if (!options.connectionTimeoutMillis) {
    warnOnce({
      code: 'COUNTERSIGN_POSTGRES_NO_CONNECTION_TIMEOUT',
      owner: client,
      message:
        'PostgreSQL: connectionTimeoutMillis of the pool is not set: if the server is unreachable or all connections are taken, callers wait forever',
      remedy: 'Set connectionTimeoutMillis on the pool, for example to 1000.',
    })
  }
  // Of the connection string pg reads it, too.
  if (!options.query_timeout && !/[?&]query_timeout=[1-9]/.test(String(options.connectionString ?? ''))) {
    warnOnce({
      code: 'COUNTERSIGN_POSTGRES_NO_QUERY_TIMEOUT',
      owner: client,
      message:
        'PostgreSQL: query_timeout of the pool is not set: a query on a dead connection waits until TCP times out, and occupies its connection in the pool',
      remedy: 'Set query_timeout on the pool, for example to 5000.',
    })
  }
}
