import type { Environment } from '@countersign/core'
import { readVariable, withDeadline } from '@countersign/core/gate-kit'
import type { Cluster, Redis } from 'ioredis'
import { unavailableError, usageError } from '../command-error.js'

/** A connection to `REDIS_URL`: a single server, or the cluster that it is a node of. */
export interface RedisConnection {
  readonly redis: Redis | Cluster
  close(): void
}

const CONNECT_MS = 5000

/** @throws {CommandError} when `REDIS_URL` is not set or wrong, or the server cannot be reached. */
export async function openRedis(env: Environment): Promise<RedisConnection> {
  const url = readVariable(env, 'REDIS_URL')
  if (url === undefined || url === '') {
    throw usageError('REDIS_URL is not set: set it to redis://host:6379 (rediss:// for TLS), or REDIS_URL_FILE')
  }
  const protocol = URL.canParse(url) ? new URL(url).protocol : ''
  if (protocol !== 'redis:' && protocol !== 'rediss:') {
    throw usageError('REDIS_URL is not a Redis URL: it must look like redis://host:6379 or rediss://host:6380')
  }
  const { Redis, Cluster } = await import('ioredis')
  const options = {
    lazyConnect: true,
    connectTimeout: CONNECT_MS,
    commandTimeout: CONNECT_MS,
    socketTimeout: 2 * CONNECT_MS,
    maxRetriesPerRequest: 1,
    retryStrategy: () => null,
  }
  const redis = new Redis(url, options)
  const lastError = rememberErrors(redis)
  try {
    await withDeadline(redis.connect(), CONNECT_MS, 'connecting')
    const isCluster = /cluster_enabled:1/.test(await redis.info('cluster'))
    if (!isCluster) return { redis, close: () => redis.disconnect() }
  } catch (error) {
    redis.disconnect()
    throw explain(lastError() ?? error)
  }
  redis.disconnect()
  const { host, port, username, password, tls } = redis.options
  const cluster = new Cluster([{ host: String(host), port: Number(port) }], {
    lazyConnect: true,
    clusterRetryStrategy: () => null,
    redisOptions: {
      username,
      password,
      tls,
      connectTimeout: CONNECT_MS,
      commandTimeout: CONNECT_MS,
      socketTimeout: 2 * CONNECT_MS,
    },
  })
  const lastClusterError = rememberErrors(cluster)
  try {
    await withDeadline(cluster.connect(), CONNECT_MS, 'connecting')
    return { redis: cluster, close: () => cluster.disconnect() }
  } catch (error) {
    cluster.disconnect()
    throw explain(lastClusterError() ?? error)
  }
}

/** ioredis tells why it cannot connect in an event; what it rejects with says only that it gave up. */
function rememberErrors(redis: Redis | Cluster): () => unknown {
  let last: unknown
  redis.on('error', (error: unknown) => {
    last = error
  })
  return () => last
}

function explain(error: unknown) {
  const { code, message = '', errors } = error as { code?: string; message?: string; errors?: { code?: string }[] }
  if (/^(NOAUTH|WRONGPASS|NOPERM)|invalid username-password|invalid password/i.test(message)) {
    return usageError('Redis refused the user or the password of REDIS_URL: correct them')
  }
  const why = code === 'ERR_COUNTERSIGN_UNAVAILABLE' ? 'no answer within 5 s' : code || errors?.[0]?.code || message || 'no answer'
  return unavailableError(
    `Redis cannot be reached (${why}): check the host and port of REDIS_URL and that the server runs`,
    error,
  )
}
