import { readFileSync } from 'node:fs'
import { nearest, OptionError } from './resolve.js'

/** The shape of `process.env`. No package reads it by itself: helpers are handed it. */
export type Environment = Readonly<Record<string, string | undefined>>

const VARIABLE = /^[A-Za-z_][A-Za-z0-9_]*$/

/**
 * The value of a variable, or of the file that `<NAME>_FILE` names (its trailing newline removed). Undefined when
 * neither is set; an empty value counts as set, since a variable set to nothing is a mistake to be shown.
 *
 * @throws {OptionError} when both are set or the file cannot be read.
 */
export function readVariable(env: Environment, name: string): string | undefined {
  const value = own(env, name)
  const file = own(env, `${name}_FILE`)
  if (file === undefined) return value
  if (value !== undefined) {
    throw invalid(name, `${name} and ${name}_FILE are both set: keep one of them`)
  }
  try {
    return readFileSync(file, 'utf8').replace(/\r?\n$/, '')
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? 'unreadable'
    throw invalid(`${name}_FILE`, `${name}_FILE names a file that cannot be read (${code})`)
  }
}

/**
 * A boolean of the environment: exactly `true`, `false`, `1` or `0`. Anything else fails the start.
 *
 * @throws {OptionError}
 */
export function readBoolean(env: Environment, name: string): boolean | undefined {
  const value = readVariable(env, name)
  if (value === undefined) return undefined
  if (value === 'true' || value === '1') return true
  if (value === 'false' || value === '0') return false
  throw invalid(name, `${name} must be true, false, 1 or 0, got ${JSON.stringify(value.slice(0, 40))}`)
}

/**
 * The values of the variables that are set, by setting: each from the variable or from its file. A variable that is set
 * to nothing fails the start.
 *
 * @throws {OptionError}
 */
export function readVariables<K extends string>(
  env: Environment,
  names: Readonly<Record<K, string>>,
): Partial<Record<K, string>> {
  const values: Partial<Record<K, string>> = {}
  for (const [setting, name] of Object.entries(names) as [K, string][]) {
    const value = readVariable(env, name)
    if (value === '') throw invalid(name, `${name} is empty: set it or remove it`)
    if (value !== undefined) values[setting] = value
  }
  return values
}

/**
 * Refuses variables with a prefix of ours that nothing reads: a misspelt one would be left out in silence.
 *
 * @throws {OptionError} with the name that was probably meant.
 */
export function refuseStrayVariables(
  owner: string,
  env: Environment,
  prefix: string,
  known: readonly string[],
  what = 'is not a known variable',
): void {
  for (const variable of Object.keys(env)) {
    const name = variable.replace(/_FILE$/, '')
    if (env[variable] === undefined || !name.startsWith(prefix) || known.includes(name)) continue
    const near = nearest(name, known)
    throw new OptionError(
      'ERR_COUNTERSIGN_OPTION_UNKNOWN',
      name,
      `${owner}: ${name} is set, but ${what}${near === undefined ? '' : `. Did you mean ${near}?`}`,
    )
  }
}

/** Whether an app of this environment is in production. AWS Lambda sets no `NODE_ENV`. */
export function isProduction(env: Environment): boolean {
  const isLambda = own(env, 'AWS_LAMBDA_FUNCTION_NAME') !== undefined
  return (own(env, 'NODE_ENV') ?? (isLambda ? 'production' : undefined)) === 'production'
}

/** Whether a text can be the name of an environment variable. */
export function isVariableName(name: unknown): name is string {
  return typeof name === 'string' && VARIABLE.test(name)
}

function own(env: Environment, name: string): string | undefined {
  return Object.hasOwn(env, name) ? env[name] : undefined
}

function invalid(name: string, message: string): OptionError {
  return new OptionError('ERR_COUNTERSIGN_OPTION_INVALID', name, message)
}
