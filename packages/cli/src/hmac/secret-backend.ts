import type { HmacSecretVersion, RotatedSecret } from '@countersign/hmac'
import { usageError } from '../command-error.js'
import type { Context } from '../context.js'
import { environmentBackend } from './environment-backend.js'
import { postgresBackend } from './postgres-backend.js'
import type { StoreChoice } from './store-options.js'

/** Where the secrets are kept, as the commands see it. */
export interface SecretBackend {
  readonly kind: 'postgres' | 'environment'
  list(caller?: string): Promise<readonly HmacSecretVersion[]>
  add(caller: string, version: number, secret: string): Promise<void>
  rotate(caller: string, options: RotateSettings): Promise<RotatedSecret>
  /** False when there is no such version. */
  revoke(caller: string, version: number): Promise<boolean>
  close(): Promise<void>
}

/** How a secret is rotated. */
export interface RotateSettings {
  readonly secret: string | undefined
  /** Undefined: the store's default, 24 h. */
  readonly graceSeconds: number | undefined
  readonly pending: boolean
}

/** Opens the store that the options, or else the environment, choose; hands it to `work` and closes it. */
export async function withSecrets<T>(
  context: Context,
  { store, dotenv }: StoreChoice,
  work: (backend: SecretBackend) => Promise<T>,
): Promise<T> {
  if (dotenv !== undefined && store === 'postgres') {
    throw usageError('--dotenv and --store postgres exclude each other: keep one of them')
  }
  const { DATABASE_URL, DATABASE_URL_FILE } = context.env
  const isPostgres = store === 'postgres' || (store === undefined && (DATABASE_URL ?? DATABASE_URL_FILE) !== undefined)
  const backend =
    dotenv === undefined && isPostgres ? await postgresBackend(context) : environmentBackend(context.env, dotenv)
  try {
    return await work(backend)
  } finally {
    await backend.close()
  }
}
