import { type Environment, OptionError } from '@countersign/core'
import { option, readVariable, resolveOptions } from '@countersign/core/gate-kit'
import { parseVersion } from '../formats/grammar.js'
import { assertCallers, variablesOf } from '../variables.js'
import { storeOptionRules } from './changes.js'
import { type MemorySecretStore, type MemorySecretsOptions, memorySecrets } from './memory.js'

/** Options of {@link secretsFromEnv}. */
export interface SecretsFromEnvOptions extends MemorySecretsOptions {
  /** The callers that must have a secret. */
  readonly callers: readonly string[]
  /** Another variable name for a caller. Default: `COUNTERSIGN_HMAC_SECRET_<CALLER>`, with `_` for `.` and `-`. */
  readonly names?: Readonly<Record<string, string>> | undefined
}

const rules = {
  ...storeOptionRules,
  callers: option.custom<unknown>('a list of callers', (value) => value),
  names: option.custom<Readonly<Record<string, string>>>('an object of caller: variable', (value) =>
    value !== null && typeof value === 'object' ? (value as Record<string, string>) : undefined,
  ),
}

/**
 * Secrets from the environment, embedded: `<NAME>` is version 1, `<NAME>_V<n>` version n; each may be a file that
 * `<NAME>_FILE` names. Half a configuration fails the start.
 *
 * @throws {OptionError} when a caller has no secret, one version is set twice, one variable could be read for two
 * callers, or a secret is shorter than 32 bytes.
 * @example
 * const secrets = secretsFromEnv(process.env, { callers: ['scheduler'] })
 */
export function secretsFromEnv(env: Environment, options: SecretsFromEnvOptions): MemorySecretStore {
  const { callers, names = {}, clock, audit } = resolveOptions('secretsFromEnv', options, rules)
  assertCallers('secretsFromEnv', callers)
  const variables = variablesOf('secretsFromEnv', 'COUNTERSIGN_HMAC_SECRET_', callers, names)
  const secrets = [...variables].flatMap(([caller, name]) => {
    const found = versionsOf(env, name).map(({ version, variable }) => ({
      caller,
      version,
      secret: readVariable(env, variable),
    }))
    if (found.length > 0) return found
    throw new OptionError(
      'ERR_COUNTERSIGN_OPTION_MISSING',
      name,
      `secretsFromEnv: ${name} must hold the secret of "${caller}"`,
    )
  })
  return memorySecrets(secrets, { clock, audit })
}

function versionsOf(env: Environment, name: string): readonly { version: number; variable: string }[] {
  const variables = Object.keys(env)
    .filter((variable) => env[variable] !== undefined)
    .map((variable) => variable.replace(/_FILE$/, ''))
    .filter((variable) => variable === name || variable.startsWith(`${name}_V`))
  const found: { version: number; variable: string }[] = []
  for (const variable of new Set(variables)) {
    const version = variable === name ? 1 : parseVersion(variable.slice(name.length + 2))
    if (version === undefined) continue
    if (found.some((other) => other.version === version)) {
      throw new OptionError(
        'ERR_COUNTERSIGN_OPTION_INVALID',
        variable,
        `${variable} and ${name} are both version ${version}`,
      )
    }
    found.push({ version, variable })
  }
  return found
}
