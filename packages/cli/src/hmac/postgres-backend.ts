import type { Environment } from '@countersign/core'
import { readVariable } from '@countersign/core/gate-kit'
import { type PostgresSecretStore, postgresSecrets, type SecretsTable } from '@countersign/hmac/postgres'
import { type Database, openDatabase } from '../connect/postgres.js'
import type { Context } from '../context.js'
import { usageError } from '../errors.js'
import type { SecretBackend } from './secret-backend.js'

/** The secrets in PostgreSQL, with what only that store can do. */
export interface PostgresBackend extends SecretBackend {
  readonly kind: 'postgres'
  readonly store: PostgresSecretStore
  readonly query: Database['query']
  /** The ids of the key-encryption keys that encrypted stored secrets and are not in the ring. */
  foreignKeks(): Promise<readonly string[]>
}

/**
 * Connects to the secrets in PostgreSQL.
 *
 * @throws {CommandError} or an `OptionError` when the key-encryption keys or the database are not usable.
 */
export async function postgresBackend(
  { env, audit }: Pick<Context, 'env' | 'audit'>,
  options: SecretsTable = {},
): Promise<PostgresBackend> {
  let database: Database | undefined
  const store = postgresSecrets(
    { query: (text, values) => (database as Database).query(text, values) },
    {
      keks: readKeks(env),
      namespace: readVariable(env, 'COUNTERSIGN_HMAC_NAMESPACE'),
      audit,
      ...tableOf(env, options),
    },
  )
  const { query, close } = await openDatabase(env)
  database = { query, close }
  const backend: PostgresBackend = {
    kind: 'postgres',
    store,
    query,
    list: async (caller) => store.list(caller),
    async add(caller, version, secret, settings) {
      await requireReadable(backend)
      await store.insert({ caller, version, secret, ...settings })
    },
    async rotate(caller, settings) {
      await requireReadable(backend)
      return store.rotate(caller, settings)
    },
    revoke: async (caller, version) => store.revoke(caller, version),
    acceptShared: async (caller, isAccepted) => store.acceptShared(caller, isAccepted),
    forget: async (caller, version) => store.forget(caller, version),
    foreignKeks: () => store.foreignKeks(),
    close,
  }
  return backend
}

/** The table that the options name, or else the environment. */
export function tableOf(env: Environment, { table, schema }: SecretsTable): SecretsTable {
  return {
    table: table ?? readVariable(env, 'COUNTERSIGN_HMAC_TABLE'),
    schema: schema ?? readVariable(env, 'COUNTERSIGN_HMAC_SCHEMA'),
  }
}

function readKeks(env: Environment): string {
  const keks = readVariable(env, 'COUNTERSIGN_HMAC_KEKS')
  if (keks !== undefined && keks !== '') return keks
  throw usageError(
    'COUNTERSIGN_HMAC_KEKS is not set: set it, or COUNTERSIGN_HMAC_KEKS_FILE, to the ring of key-encryption keys; ' +
      '"countersign hmac generate --kek-id k1" generates one',
  )
}

/**
 * Refuses a ring that does not decrypt what is stored: the app, with the right ring, could not decrypt what this one
 * encrypts.
 *
 * @throws {CommandError}
 */
export async function requireReadable(backend: PostgresBackend): Promise<void> {
  const foreign = await backend.foreignKeks()
  if (foreign.length > 0) throw usageError(unreadableText(foreign))
}

/** The message about secrets that these key-encryption keys encrypted. */
export function unreadableText(foreign: readonly string[]): string {
  return (
    'stored secrets cannot be decrypted: COUNTERSIGN_HMAC_KEKS lacks or has a different key-encryption key ' +
    `${foreign.map((id) => `"${id}"`).join(', ')}: set it to the ring of the app`
  )
}
