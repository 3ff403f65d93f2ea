import { type Environment, OptionError } from '@countersign/core'
import { isVariableName } from '@countersign/core/gate-kit'
import { CALLER_PATTERN, SHARED_CALLER } from './formats/grammar.js'

/** The part of a variable's name that stands for a caller: upper case, `_` for `.` and `-`. */
export function variablePart(caller: string): string {
  return caller === SHARED_CALLER ? 'SHARED' : caller.toUpperCase().replace(/[.-]/g, '_')
}

/** What the user set: the variable, or the one with `_FILE` after it. */
export function asSet(env: Environment, name: string): string {
  return Object.hasOwn(env, name) || !Object.hasOwn(env, `${name}_FILE`) ? name : `${name}_FILE`
}

/**
 * Checks a list of callers.
 *
 * @throws {OptionError} for what is not a list of different names.
 */
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
 * @throws {OptionError} for a name of something else than a caller, or when two callers could be taken for each other:
 * `a-b` and `a.b`, or `a` in its second version and `a-v2`.
 */
export function variablesOf(
  owner: string,
  prefix: string,
  callers: readonly string[],
  names: Readonly<Record<string, string>>,
  path = 'names.',
): ReadonlyMap<string, string> {
  for (const [caller, name] of Object.entries(names)) {
    if (!callers.includes(caller)) {
      throw new OptionError(
        'ERR_COUNTERSIGN_OPTION_UNKNOWN',
        `${path}${caller}`,
        `${owner}: option "${path}${caller}": "${caller}" is not one of "callers"`,
      )
    }
    if (!isVariableName(name)) {
      throw new OptionError(
        'ERR_COUNTERSIGN_OPTION_INVALID',
        `${path}${caller}`,
        `${owner}: option "${path}${caller}" must be the name of a variable, got "${name}"`,
      )
    }
  }
  const nameOf = (caller: string) =>
    (Object.hasOwn(names, caller) ? names[caller] : undefined) ?? `${prefix}${variablePart(caller)}`
  const variables = new Map(callers.map((caller) => [caller, nameOf(caller)]))
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
