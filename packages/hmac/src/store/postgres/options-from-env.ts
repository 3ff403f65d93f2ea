import { type Environment, OptionError } from '@countersign/core'
import { readVariable, readVariables } from '@countersign/core/gate-kit'
import { asSet } from '../../variables.js'
import { parseKekRing } from './sealing.js'
import type { SecretsTable } from './table.js'

/** What {@link postgresSecretsOptionsFromEnv} reads. */
export interface PostgresOptionsFromEnv extends SecretsTable {
  /** The ring of key-encryption keys. */
  readonly keks: string
}

/**
 * The options of `postgresSecrets` that the environment has: the ring, in `COUNTERSIGN_HMAC_KEKS` or the variable
 * that `names.keks` names, and the table, in `COUNTERSIGN_HMAC_TABLE` and `COUNTERSIGN_HMAC_SCHEMA`. Each may be in the file
 * that `<NAME>_FILE` names.
 *
 * @throws {OptionError} when it is not set, or is not a ring.
 */
export function postgresSecretsOptionsFromEnv(
  env: Environment,
  { names = {} }: { readonly names?: { readonly keks?: string | undefined } | undefined } = {},
): PostgresOptionsFromEnv {
  const name = names.keks ?? 'COUNTERSIGN_HMAC_KEKS'
  const keks = readVariable(env, name)
  if (keks === undefined) {
    throw new OptionError(
      'ERR_COUNTERSIGN_OPTION_MISSING',
      name,
      `${name} must hold the key-encryption keys: "id:base64", …`,
    )
  }
  parseKekRing(keks, asSet(env, name))
  const place = readVariables(env, { table: 'COUNTERSIGN_HMAC_TABLE', schema: 'COUNTERSIGN_HMAC_SCHEMA' })
  return { keks, ...place }
}
