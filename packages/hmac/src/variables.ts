import { OptionError } from '@countersign/core'
import { nearest } from '@countersign/core/gate-kit'
import { CALLER_PATTERN, SHARED_CALLER } from './formats/grammar.js'

const VARIABLE = /^[A-Za-z_][A-Za-z0-9_]*$/

/** The part of a variable's name that stands for a caller: upper case, `_` for `.` and `-`. */
function suffixOf(caller: string): string {
  return caller === SHARED_CALLER ? 'SHARED' : caller.toUpperCase().replace(/[.-]/g, '_')
}

/** @throws {OptionError} for what is not a list of callers. */
export function assertCallers(owner: string, callers: unknown): asserts callers is readonly string[] {
  const isList = Array.isArray(callers) && callers.length > 0 && callers.every((name) => CALLER_PATTERN.test(name))
  if (isList && new Set(callers).size === callers.length) return
  throw new OptionError(
    'ERR_COUNTERSIGN_OPTION_INVALID',
    'callers',
    `${owner}: option "callers" must be a list of names of a-z 0-9 . _ - that start with a letter or digit, none twice`,
  )
}

/**
 * The variable of each caller: the app's own name for it, else the prefix and the caller.
 *
 * @throws {OptionError} when a name is given for somebody else, or two callers could be taken for each other: `a-b` and
 * `a.b`, or `a` in its second version and `a-v2`.
 */
export function variablesOf(
  owner: string,
  prefix: string,
  callers: readonly string[],
  names: Readonly<Record<string, string>>,
): ReadonlyMap<string, string> {
  for (const [caller, name] of Object.entries(names)) {
    if (!callers.includes(caller)) {
      throw new OptionError('ERR_COUNTERSIGN_OPTION_UNKNOWN', `names.${caller}`, `${owner}: "${caller}" is not one of "callers"`)
    }
    if (!VARIABLE.test(name)) {
      throw new OptionError('ERR_COUNTERSIGN_OPTION_INVALID', `names.${caller}`, `${owner}: "${name}" is no name of a variable`)
    }
  }
  const variables = new Map(callers.map((caller) => [caller, names[caller] ?? `${prefix}${suffixOf(caller)}`]))
  const owners = new Map<string, string>()
  for (const [caller, name] of variables) {
    const plain = name.replace(/_V[1-9]\d{0,9}$/, '')
    const other =
      owners.get(name) ?? (plain === name ? undefined : [...variables].find(([, one]) => one === plain)?.[0])
    if (other !== undefined) {
      throw new OptionError(
        'ERR_COUNTERSIGN_OPTION_INVALID',
        'names',
        `${owner}: ${name} would be read for both "${other}" and "${caller}": name another variable for one in "names"`,
      )
    }
    owners.set(name, caller)
  }
  return variables
}

/**
 * A variable with our prefix that nobody reads is misspelt, and what it was to say would be left out in silence.
 *
 * @throws {OptionError}
 */
export function assertNoStray(
  owner: string,
  env: Readonly<Record<string, string | undefined>>,
  prefix: string,
  known: readonly string[],
): void {
  for (const variable of Object.keys(env)) {
    const name = variable.replace(/_FILE$/, '')
    if (env[variable] === undefined || !name.startsWith(prefix) || known.includes(name)) continue
    const near = nearest(name, known)
    throw new OptionError(
      'ERR_COUNTERSIGN_OPTION_UNKNOWN',
      name,
      `${owner}: ${name} is set, but is of no caller${near === undefined ? '' : `. Did you mean ${near}?`}`,
    )
  }
}
