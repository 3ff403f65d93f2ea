import { OptionError } from '@countersign/core'
import type { Cluster, Redis } from 'ioredis'

/** An ioredis client that the app made: a single server, a Sentinel group, or a cluster. */
export type RedisClient = Redis | Cluster

/** Whether a client is a cluster's. */
export function isCluster(redis: RedisClient): redis is Cluster {
  return redis.isCluster
}

/** What is asked of a client's options. */
export interface ClientOptions {
  readonly commandTimeout?: number | undefined
  readonly socketTimeout?: number | undefined
  readonly maxRetriesPerRequest?: number | null | undefined
  readonly reconnectOnError?: ((error: Error) => unknown) | null | undefined
  readonly retryStrategy?: unknown
  readonly keyPrefix?: string | undefined
  readonly enableAutoPipelining?: boolean | undefined
}

/** The options of the client; of a cluster's, some are those of each node's client. */
export function clientOptions(redis: RedisClient): ClientOptions {
  if (!isCluster(redis)) return redis.options
  const { redisOptions, keyPrefix, enableAutoPipelining, clusterRetryStrategy: retryStrategy } = redis.options
  return { ...redisOptions, keyPrefix, enableAutoPipelining, retryStrategy } as ClientOptions
}

/** Milliseconds after which the client itself gives a command up. */
export function clientTimeoutMs(redis: RedisClient): number {
  return clientOptions(redis).commandTimeout ?? Number.POSITIVE_INFINITY
}

/**
 * For what takes a client.
 *
 * @throws {OptionError} when it is not one.
 */
export function assertClient(redis: RedisClient, owner: string): void {
  if (typeof (redis as { defineCommand?: unknown } | undefined)?.defineCommand === 'function') return
  throw new OptionError(
    'ERR_COUNTERSIGN_OPTION_INVALID',
    'redis',
    `${owner}: the first argument must be an ioredis client (new Redis(url) or new Cluster(nodes))`,
  )
}

/** The options that every Redis store has. */
export interface RedisStoreOptions {
  /** First part of every key. Default `cs`. */
  readonly namespace?: string | undefined
  /** Milliseconds that one operation may take, waiting for a connection included. Default 500. */
  readonly commandTimeoutMs?: number | undefined
  /**
   * Accepts a Redis that evicts keys: under memory pressure it forgets who was signed in, who is bound to whom, and what
   * was used once, so that a replay passes. Default false.
   */
  readonly dangerouslyAllowEviction?: boolean | undefined
  /**
   * Makes the client connect again, at most once in 5 s, when the server says that it is a replica: behind a stable address
   * another one may be the primary now. It is the client's own `disconnect(true)`. Default true.
   */
  readonly reconnectOnReadonly?: boolean | undefined
}

/** The first part of every key, unless the app names another. */
export const DEFAULT_NAMESPACE = 'cs'
/** Milliseconds that one operation may take, unless the app says otherwise. */
export const DEFAULT_COMMAND_TIMEOUT_MS = 500
/** No braces: they would take the hash tag's place. */
export const NAMESPACE_PATTERN: RegExp = /^[A-Za-z0-9._:-]{1,64}$/
