import type { HmacSecretVersion, RotatedSecret } from '@countersign/hmac'
import type { Command } from 'commander'
import { Option } from 'commander'
import { usageError } from '../command-error.js'
import type { Context } from '../context.js'
import { environmentBackend } from './environment-backend.js'
import { postgresBackend } from './postgres-backend.js'

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

export interface RotateSettings {
  readonly secret: string | undefined
  /** Undefined: the store's default, 24 h. */
  readonly graceSeconds: number | undefined
  readonly pending: boolean
}

export interface StoreChoice {
  readonly store?: 'postgres' | 'env'
  readonly dotenv?: string
}

export function addStoreOptions(command: Command): Command {
  return command
    .addOption(
      new Option(
        '--store <kind>',
        'where the secrets are (default: postgres when DATABASE_URL is set, else env)',
      ).choices(['postgres', 'env']),
    )
    .option('--dotenv <file>', 'the environment is this file of NAME=value lines, which may be changed')
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
