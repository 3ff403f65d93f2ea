import { readVariable } from '@countersign/core/gate-kit'
import type { PostgresClient, PostgresStoreOptions } from '@countersign/postgres'
import { type Command, Option } from 'commander'
import type { Cluster, Redis } from 'ioredis'
import type { Context } from '../context.js'
import { openDatabase } from './postgres.js'
import { addNamespaceOption, type NamespaceOption, namespaceOf, type StoreSettings, withRedis } from './redis.js'

/** The options of every command on credentials or sessions. */
export interface StateOptions extends NamespaceOption {
  readonly store?: 'redis' | 'postgres'
  readonly schema?: string
}

/** Adds {@link StateOptions} to a command. */
export function addStateOptions(command: Command): Command {
  return addNamespaceOption(command)
    .addOption(
      new Option(
        '--store <kind>',
        'where they are (default: postgres when DATABASE_URL is set and REDIS_URL is not)',
      ).choices(['redis', 'postgres']),
    )
    .option('--schema <name>', 'the schema of the tables in PostgreSQL')
}

/** How the two stores are made. */
export interface StoreMakers<S> {
  redis(redis: Redis | Cluster, settings: StoreSettings): S | Promise<S>
  postgres(client: PostgresClient, settings: PostgresStoreOptions): S | Promise<S>
}

const TIMEOUT_MS = 5000

/**
 * Runs `work` with the store that the options, or else the environment, choose, and disconnects.
 *
 * @throws {CommandError} when the URL is not set or wrong, or the server cannot be reached.
 */
export async function withStore<S, T>(
  context: Pick<Context, 'env'>,
  options: StateOptions,
  makers: StoreMakers<S>,
  work: (store: S) => Promise<T>,
): Promise<T> {
  const { env } = context
  const isSet = (name: string) => Boolean(readVariable(env, name))
  const kind = options.store ?? (isSet('DATABASE_URL') && !isSet('REDIS_URL') ? 'postgres' : 'redis')
  if (kind === 'redis') {
    return withRedis(context, options, async (redis, settings) => work(await makers.redis(redis, settings)))
  }
  const { query, close } = await openDatabase(env)
  try {
    const settings = { namespace: namespaceOf(env, options), schema: options.schema, commandTimeoutMs: TIMEOUT_MS }
    return await work(await makers.postgres({ query }, settings))
  } finally {
    await close()
  }
}
