import type { Environment } from '@countersign/core'
import { readVariable } from '@countersign/core/gate-kit'
import type { PostgresSecretStore } from '@countersign/hmac/postgres'
import { usageError } from '../command-error.js'
import { type Database, openDatabase } from '../connect/postgres.js'
import type { Context } from '../context.js'
import type { SecretBackend } from './secret-backend.js'

/** The secrets in PostgreSQL, with what only that store can do. */
export interface PostgresBackend extends SecretBackend {
  readonly kind: 'postgres'
  readonly store: PostgresSecretStore
  readonly database: Database
  /** Called with each statement that is about to be sent. */
  onStatement: ((text: string) => void) | undefined
}

/** The ring of key-encryption keys. Throws when there is none. */
export function readKeks(env: Environment): string {
  const keks = readVariable(env, 'COUNTERSIGN_HMAC_KEKS')
  if (keks !== undefined && keks !== '') return keks
  throw usageError(
    'COUNTERSIGN_HMAC_KEKS is not set: set it, or COUNTERSIGN_HMAC_KEKS_FILE, to the ring of key-encryption keys; ' +
      '"countersign hmac generate --kek-id k1" makes one',
  )
}

/** Connects to the secrets in PostgreSQL. Throws when the ring or the database is not to be had. */
export async function postgresBackend({ env, audit }: Pick<Context, 'env' | 'audit'>): Promise<PostgresBackend> {
  const keks = readKeks(env)
  const { postgresSecrets } = await import('@countersign/hmac/postgres')
  let database: Database | undefined
  const namespace = readVariable(env, 'COUNTERSIGN_HMAC_NAMESPACE')
  const store = postgresSecrets(
    {
      query(text, values) {
        backend.onStatement?.(text)
        return (database as Database).query(text, values)
      },
    },
    { keks, audit, ...(namespace === undefined ? {} : { namespace }) },
  )
  database = await openDatabase(env)
  const backend: PostgresBackend = {
    kind: 'postgres',
    store,
    database,
    onStatement: undefined,
    list: async (caller) => store.list(caller),
    async add(caller, version, secret) {
      await requireReadable(backend)
      await store.insert({ caller, version, secret })
    },
    async rotate(caller, { secret, graceSeconds, pending }) {
      await requireReadable(backend)
      return store.rotate(caller, {
        pending,
        ...(secret === undefined ? {} : { secret }),
        ...(graceSeconds === undefined ? {} : { graceSeconds }),
      })
    },
    revoke: async (caller, version) => store.revoke(caller, version),
    close: database.close,
  }
  return backend
}

/** The ids of the key-encryption keys that stored secrets are sealed with and this ring cannot open. */
export async function foreignKeks({ database, store }: PostgresBackend): Promise<string[]> {
  const unreadable = (await store.list()).filter(({ key }) => key === undefined)
  if (unreadable.length === 0) return []
  const places = unreadable.map(({ caller, version }) => `${caller}/${version}`)
  const { rows } = await database.query(
    `SELECT DISTINCT kek_id FROM internal_service_hmac_secrets WHERE caller || '/' || key_version = ANY($1) ORDER BY 1`,
    [places],
  )
  return (rows as { kek_id: string }[]).map(({ kek_id }) => kek_id)
}

/** What would be sealed with this ring could not be opened by those who hold the right one, and the other way round. */
export async function requireReadable(backend: PostgresBackend): Promise<void> {
  const foreign = await foreignKeks(backend)
  if (foreign.length === 0) return
  throw usageError(unreadableText(foreign))
}

/** What is said of secrets that these foreign keys sealed. */
export function unreadableText(foreign: readonly string[]): string {
  return (
    `stored secrets do not open: COUNTERSIGN_HMAC_KEKS lacks, or has another, key-encryption key ` +
    `${foreign.map((id) => `"${id}"`).join(', ')}: set it to the ring that the app has`
  )
}
