import type { Environment } from '@countersign/core'
import { isUnavailable, readVariable, withDeadline } from '@countersign/core/gate-kit'
import type { Command } from 'commander'
import type { Cluster, Redis } from 'ioredis'
import type { Context } from '../context.js'
import { connectionProblem, unavailableError, usageError } from '../errors.js'

/** The option of every command on credentials and sessions. */
export interface NamespaceOption {
  readonly namespace?: string
}

/** Adds `--namespace`. */
export function addNamespaceOption(command: Command): Command {
  return command.option(
    '--namespace <name>',
    'the namespace of the stores: of every key, or row (default: COUNTERSIGN_REDIS_NAMESPACE, else cs)',
  )
}

/** The namespace that the option names, or else the environment. */
export function namespaceOf(env: Environment, { namespace }: NamespaceOption): string | undefined {
  return namespace ?? readVariable(env, 'COUNTERSIGN_REDIS_NAMESPACE')
}

/** What the Redis stores of the packages are created with. */
export interface StoreSettings {
  readonly namespace: string | undefined
  readonly commandTimeoutMs: number
}

const TIMEOUT_MS = 5000

/**
 * Connects to `REDIS_URL`, a server or any node of a cluster, runs `work` and disconnects.
 *
 * @throws {CommandError} when `REDIS_URL` is not set or wrong, or the server cannot be reached.
 */
export async function withRedis<T>(
  { env }: Pick<Context, 'env'>,
  options: NamespaceOption,
  work: (redis: Redis | Cluster, settings: StoreSettings) => Promise<T>,
): Promise<T> {
  const redis = await connect(env)
  try {
    return await work(redis, { namespace: namespaceOf(env, options), commandTimeoutMs: TIMEOUT_MS })
  } finally {
    redis.disconnect()
  }
}

async function connect(env: Environment): Promise<Redis | Cluster> {
  const url = urlOf(env)
  const { Redis, Cluster } = await import('ioredis')
  const limits = { connectTimeout: TIMEOUT_MS, commandTimeout: TIMEOUT_MS, socketTimeout: 2 * TIMEOUT_MS }
  const redis = new Redis(url, { ...limits, lazyConnect: true, maxRetriesPerRequest: 1, retryStrategy: () => null })
  const isCluster = await opened(redis, async () => /cluster_enabled:1/.test(await redis.info('cluster')))
  if (!isCluster) return redis
  redis.disconnect()
  const { host, port, username, password, tls } = redis.options
  const cluster = new Cluster([{ host: String(host), port: Number(port) }], {
    lazyConnect: true,
    clusterRetryStrategy: () => null,
    redisOptions: { ...limits, username, password, tls },
  })
  await opened(cluster, async () => true)
  return cluster
}

function urlOf(env: Environment): string {
  const url = readVariable(env, 'REDIS_URL')
  if (url === undefined || url === '') {
    throw usageError('REDIS_URL is not set: set it to redis://host:6379 (rediss:// for TLS), or REDIS_URL_FILE')
  }
  if (URL.canParse(url) && /^rediss?:$/.test(new URL(url).protocol)) return url
  throw usageError('REDIS_URL is not a Redis URL: it must look like redis://host:6379 or rediss://host:6380')
}

/** Connects and asks the first question. @throws {CommandError} */
async function opened<T>(redis: Redis | Cluster, ask: () => Promise<T>): Promise<T> {
  // ioredis reports the cause in an event; its rejection says only that it gave up.
  let last: unknown
  redis.on('error', (error: unknown) => {
    last = error
  })
  try {
    await withDeadline(redis.connect(), TIMEOUT_MS, 'redis')
    return await ask()
  } catch (error) {
    redis.disconnect()
    throw explain(last ?? error)
  }
}

function explain(error: unknown): Error {
  const { message = '' } = error as { message?: string }
  if (/^(NOAUTH|WRONGPASS|NOPERM)|invalid username-password|invalid password/i.test(message)) {
    return usageError('Redis refused the user or the password of REDIS_URL: correct them')
  }
  const why = isUnavailable(error) ? `no answer within ${TIMEOUT_MS / 1000} s` : connectionProblem(error)
  return unavailableError(
    `Redis cannot be reached (${why}): check the host and port of REDIS_URL and that the server runs`,
    error,
  )
}
