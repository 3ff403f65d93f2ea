import type { Cluster, Redis } from 'ioredis'

/** An ioredis client that the app made: a single server, a Sentinel group, or a cluster. */
export type RedisClient = Redis | Cluster

export function isCluster(redis: RedisClient): redis is Cluster {
  return redis.isCluster
}

/** The options of the client, or of each node's client of a cluster. */
export function clientOptions(redis: RedisClient): {
  readonly commandTimeout?: number
  readonly socketTimeout?: number
  readonly maxRetriesPerRequest?: number | null
} {
  return isCluster(redis) ? (redis.options.redisOptions ?? {}) : redis.options
}

/** Milliseconds after which the client itself gives a command up. */
export function clientTimeoutMs(redis: RedisClient): number {
  return clientOptions(redis).commandTimeout ?? Number.POSITIVE_INFINITY
}

/**
 * For what takes a client.
 *
 * @throws {TypeError} with code `ERR_OPTION_INVALID` when it is none.
 */
export function assertClient(redis: RedisClient, owner: string): void {
  if (typeof (redis as { defineCommand?: unknown } | undefined)?.defineCommand === 'function') return
  const error = new TypeError(
    `${owner}: the first argument must be an ioredis client (new Redis(url) or new Cluster(nodes))`,
  )
  throw Object.assign(error, { code: 'ERR_OPTION_INVALID', option: 'redis' })
}

/** The options that every Redis store has. */
export interface RedisStoreOptions {
  /** First part of every key. Default `cs`. */
  readonly namespace?: string
  /** Milliseconds that one operation may take, waiting for a connection included. Default 500. */
  readonly commandTimeoutMs?: number
}

export const DEFAULT_NAMESPACE = 'cs'
export const DEFAULT_COMMAND_TIMEOUT_MS = 500
/** No braces: they would take the hash tag's place. */
export const NAMESPACE_PATTERN = /^[A-Za-z0-9._:-]{1,64}$/
