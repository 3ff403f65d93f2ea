import type { Cluster, Redis } from 'ioredis'

/** An ioredis client that the app made: a single server, a Sentinel group, or a cluster. */
export type RedisClient = Redis | Cluster

export function isCluster(redis: RedisClient): redis is Cluster {
  return redis.isCluster
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
