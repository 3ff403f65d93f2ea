import { readFileSync } from 'node:fs'
import { OptionError } from './options.js'

/** The shape of `process.env`. No package reads it by itself: helpers are handed it. */
export type Environment = Readonly<Record<string, string | undefined>>

/**
 * The value of a variable, or of the file that `<NAME>_FILE` names (its trailing newline removed). Undefined when
 * neither is set; an empty value counts as set, since a variable set to nothing is a mistake to be shown.
 *
 * @throws {OptionError} when both are set or the file cannot be read.
 */
export function readVariable(env: Environment, name: string): string | undefined {
  const value = env[name]
  const file = env[`${name}_FILE`]
  if (file === undefined) return value
  if (value !== undefined) {
    throw new OptionError('ERR_OPTION_INVALID', name, `${name} and ${name}_FILE are both set: keep one of them`)
  }
  try {
    return readFileSync(file, 'utf8').replace(/\r?\n$/, '')
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? 'unreadable'
    throw new OptionError(
      'ERR_OPTION_INVALID',
      `${name}_FILE`,
      `${name}_FILE names a file that cannot be read (${code})`,
    )
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
  throw new OptionError(
    'ERR_OPTION_INVALID',
    name,
    `${name} must be true, false, 1 or 0, got ${JSON.stringify(value.slice(0, 40))}`,
  )
}
