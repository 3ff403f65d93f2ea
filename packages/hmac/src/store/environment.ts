import { type Environment, OptionError } from '@countersign/core'
import { option, readVariable, resolveOptions } from '@countersign/core/gate-kit'
import { parseVersion, SHARED_CALLER } from '../formats/grammar.js'
import { secretKey } from '../secret-key.js'
import { asSet, assertCallers, variablesOf } from '../variables.js'
import { storeOptionRules } from './changes.js'
import { type MemorySecretStore, type MemorySecretsOptions, memorySecrets } from './memory.js'

/** Options of {@link secretsFromEnv}. */
export interface SecretsFromEnvOptions extends MemorySecretsOptions {
  /** The callers that must have a secret; with `*shared*` among them, the others may have one of their own. */
  readonly callers: readonly string[]
  /** Another variable name for a caller. Default: `COUNTERSIGN_HMAC_SECRET_<CALLER>`, with `_` for `.` and `-`. */
  readonly names?: Readonly<Record<string, string>> | undefined
}

const OWNER = 'secretsFromEnv'
const SHARED_FOR = 'COUNTERSIGN_HMAC_ACCEPT_SHARED_FOR'

const rules = {
  ...storeOptionRules,
  callers: option.custom<unknown>('a list of callers', (value) => value),
  names: option.custom<Readonly<Record<string, string>>>('an object of caller: variable', (value) =>
    value !== null && typeof value === 'object' ? (value as Record<string, string>) : undefined,
  ),
}

/**
 * Secrets from the environment, embedded: `<NAME>` is version 1, `<NAME>_V<n>` version n; each may be a file that
 * `<NAME>_FILE` names. `COUNTERSIGN_HMAC_SECRET_SHARED` is the secret of `*shared*`, and `COUNTERSIGN_HMAC_ACCEPT_SHARED_FOR` lists
 * the callers for which that one counts beside their own. Half a configuration fails the start.
 *
 * @throws {OptionError} when a caller has no secret, one version is set twice, one variable could be read for two
 * callers, or a secret is shorter than 32 bytes.
 * @example
 * const secrets = secretsFromEnv(process.env, { callers: ['scheduler'] })
 */
export function secretsFromEnv(env: Environment, options: SecretsFromEnvOptions): MemorySecretStore {
  const { callers, names = {}, clock, audit } = resolveOptions(OWNER, options, rules)
  assertCallersOrShared(callers)
  const variables = variablesOf(OWNER, 'COUNTERSIGN_HMAC_SECRET_', callers, names)
  const sharedFor = readSharedFor(env, callers)
  const secrets = [...variables].flatMap(([caller, name]) => {
    const found = versionsOf(env, name).map(({ version, variable }) => ({
      caller,
      version,
      secret: readSecret(env, variable),
      acceptsShared: sharedFor.includes(caller),
    }))
    // Who has none has the shared one, which must be there.
    if (found.length > 0 || (caller !== SHARED_CALLER && callers.includes(SHARED_CALLER))) return found
    throw new OptionError(
      'ERR_COUNTERSIGN_OPTION_MISSING',
      name,
      `secretsFromEnv: ${name} must hold the secret of "${caller}"`,
    )
  })
  return memorySecrets(secrets, { clock, audit })
}

function assertCallersOrShared(callers: unknown): asserts callers is readonly string[] {
  const isShared = Array.isArray(callers) && callers.includes(SHARED_CALLER)
  const others = isShared ? callers.filter((caller) => caller !== SHARED_CALLER) : callers
  if (!isShared || (others as unknown[]).length > 0) assertCallers(OWNER, others)
}

/** The secret of a variable, or of its file; a wrong one is named as it was set. */
function readSecret(env: Environment, variable: string): string | undefined {
  const secret = readVariable(env, variable)
  if (secret !== undefined) secretKey(OWNER, asSet(env, variable), secret)
  return secret
}

/** @throws {OptionError} for a caller that has no secret of its own here: the shared one counts for it anyway, or nothing. */
function readSharedFor(env: Environment, callers: readonly string[]): readonly string[] {
  const text = readVariable(env, SHARED_FOR)
  if (text === undefined) return []
  const names = text.split(',').map((name) => name.trim())
  const wrong = names.find((name) => name === SHARED_CALLER || !callers.includes(name))
  if (wrong === undefined && callers.includes(SHARED_CALLER)) return names
  const what =
    wrong === undefined ? `needs "${SHARED_CALLER}" among "callers"` : `names "${wrong}", which is not one of "callers"`
  throw new OptionError('ERR_COUNTERSIGN_OPTION_INVALID', SHARED_FOR, `${OWNER}: ${asSet(env, SHARED_FOR)} ${what}`)
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
        `${asSet(env, variable)} and ${asSet(env, name)} are both version ${version}`,
      )
    }
    found.push({ version, variable })
  }
  return found
}
