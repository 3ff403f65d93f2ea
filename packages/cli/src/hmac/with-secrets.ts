import type { SecretsTable } from '@countersign/hmac/postgres'
import { type Command, Option } from 'commander'
import type { Context } from '../context.js'
import { usageError } from '../errors.js'
import { environmentBackend } from './environment-backend.js'
import { postgresBackend } from './postgres-backend.js'
import type { SecretBackend } from './secret-backend.js'

/** Which store a command works on. */
export interface StoreChoice extends SecretsTable {
  readonly store?: 'postgres' | 'env'
  readonly dotenv?: string
}

/** Adds the name of the table in PostgreSQL to a command. */
export function addTableOptions(command: Command): Command {
  return command
    .option('--table <name>', 'the table in PostgreSQL (or COUNTERSIGN_HMAC_TABLE)')
    .option('--schema <name>', 'its schema (or COUNTERSIGN_HMAC_SCHEMA)')
}

/** Adds {@link StoreChoice} to a command. */
export function addStoreOptions(command: Command): Command {
  return addTableOptions(command)
    .addOption(
      new Option(
        '--store <kind>',
        'where the secrets are (default: postgres when DATABASE_URL is set, else env)',
      ).choices(['postgres', 'env']),
    )
    .option('--dotenv <file>', 'use this file of NAME=value lines as the environment; commands may change it')
}

/** Runs `work` with the store that the options, or else the environment, choose. */
export async function withSecrets<T>(
  context: Context,
  { store, dotenv, table, schema }: StoreChoice,
  work: (backend: SecretBackend) => Promise<T>,
): Promise<T> {
  if (dotenv !== undefined && store === 'postgres') {
    throw usageError('--dotenv and --store postgres exclude each other: remove one of them')
  }
  const { DATABASE_URL, DATABASE_URL_FILE } = context.env
  const isPostgres = store === 'postgres' || (store === undefined && (DATABASE_URL ?? DATABASE_URL_FILE) !== undefined)
  const backend =
    dotenv === undefined && isPostgres
      ? await postgresBackend(context, { table, schema })
      : environmentBackend(context.env, dotenv)
  try {
    return await work(backend)
  } finally {
    await backend.close()
  }
}
