import { type Environment, OptionError } from '@countersign/core'
import {
  isVariableName,
  option,
  readBoolean,
  readVariables,
  refuseStrayVariables,
  resolveOptions,
} from '@countersign/core/gate-kit'
import { SHARED_CALLER } from './formats/grammar.js'
import type { RequireHmacOptions } from './options.js'
import { asSet, assertCallers, variablesOf } from './variables.js'

/** Options of {@link hmacOptionsFromEnv}. */
export interface HmacOptionsFromEnvOptions {
  /** The callers whose variables are read. */
  readonly callers: readonly string[]
  /** The header fields that carry the old key; required when one is set. */
  readonly legacyHeaders?: readonly string[] | undefined
  /** The app's own variables. */
  readonly names?:
    | {
        /** Default `COUNTERSIGN_HMAC_REQUIRE`; with `_<CALLER>` after it, for one caller. */
        readonly require?: string | undefined
        /** By caller, or `*shared*`. Default `COUNTERSIGN_HMAC_LEGACY_<CALLER>`, with `_` for `.` and `-`. */
        readonly legacy?: Readonly<Record<string, string>> | undefined
      }
    | undefined
}

const OWNER = 'hmacOptionsFromEnv'
const LEGACY_PREFIX = 'COUNTERSIGN_HMAC_LEGACY_'

const rules = {
  callers: option.custom<unknown>('a list of callers', (value) => value),
  legacyHeaders: option.strings(/^[A-Za-z0-9-]{1,64}$/, 'a list of header names'),
  names: option.custom<NonNullable<HmacOptionsFromEnvOptions['names']>>('an object', (value) =>
    value !== null && typeof value === 'object' ? value : undefined,
  ),
}

const nameRules = {
  require: option
    .custom<string>('the name of a variable', (value) => (isVariableName(value) ? value : undefined))
    .default('COUNTERSIGN_HMAC_REQUIRE'),
  legacy: option.custom<Readonly<Record<string, string>>>('an object of caller: variable', (value) =>
    value !== null && typeof value === 'object' ? (value as Record<string, string>) : undefined,
  ),
}

/**
 * The rollout from the environment: `COUNTERSIGN_HMAC_LEGACY_<CALLER>` is a caller's old key,
 * `COUNTERSIGN_HMAC_REQUIRE` (exactly true, false, 1 or 0) refuses all of them, `COUNTERSIGN_HMAC_REQUIRE_<CALLER>` one.
 * Each may be a file that `<NAME>_FILE` names. Spread what it returns into the options of `requireHmac`.
 *
 * @throws {OptionError} for an empty key, another boolean, a misspelt caller, or half a configuration: a key without
 * `legacyHeaders`, or "not required" without an old key to accept instead.
 * @example
 * requireHmac({ ...hmacOptionsFromEnv(process.env, { callers, legacyHeaders: ['x-service-key'] }), secrets, audience })
 */
export function hmacOptionsFromEnv(
  env: Environment,
  options: HmacOptionsFromEnvOptions,
): Pick<RequireHmacOptions, 'legacy' | 'enforce'> {
  const { callers, legacyHeaders, names = {} } = resolveOptions(OWNER, options, rules)
  assertCallers(OWNER, callers)
  const { require, legacy = {} } = resolveOptions(OWNER, names, nameRules, 'names.')
  const everyone =
    callers.includes('shared') && !Object.hasOwn(legacy, SHARED_CALLER) ? callers : [...callers, SHARED_CALLER]

  const legacyVariables = variablesOf(OWNER, LEGACY_PREFIX, everyone, legacy, 'names.legacy.')
  const requireVariables = variablesOf(OWNER, `${require}_`, everyone, {})
  refuseStrayVariables(OWNER, env, LEGACY_PREFIX, [...legacyVariables.values()], 'does not belong to any of "callers"')
  refuseStrayVariables(OWNER, env, `${require}_`, [...requireVariables.values()], 'does not belong to any of "callers"')

  const keys: Record<string, readonly string[]> = {}
  for (const [caller, key] of Object.entries(readVariables(env, Object.fromEntries(legacyVariables)))) {
    if (key !== undefined) keys[caller] = [key]
  }
  assertDifferent(env, keys, legacyVariables)
  const enforce = readEnforce(env, require, requireVariables, legacyVariables, keys)
  if (Object.keys(keys).length === 0) return enforce === undefined ? {} : { enforce }
  if (legacyHeaders === undefined || legacyHeaders.length === 0) {
    throw new OptionError(
      'ERR_COUNTERSIGN_OPTION_MISSING',
      'legacyHeaders',
      `${OWNER}: option "legacyHeaders" is required with ${namesOf(env, Object.keys(keys), legacyVariables)}: set it to the ` +
        'list of headers that carry the old key',
    )
  }
  return { legacy: { headers: legacyHeaders, keys }, ...(enforce === undefined ? {} : { enforce }) }
}

/** One switch for all callers; an object by caller, when any of them has a switch of its own. */
function readEnforce(
  env: Environment,
  require: string,
  variables: ReadonlyMap<string, string>,
  legacyVariables: ReadonlyMap<string, string>,
  keys: Readonly<Record<string, unknown>>,
): boolean | Record<string, boolean> | undefined {
  const all = readBoolean(env, require)
  if (all === false && Object.keys(keys).length === 0) {
    throw nothingInstead(asSet(env, require), `an old key is not set (${[...legacyVariables.values()].join(', ')})`)
  }
  const own: Record<string, boolean> = {}
  for (const [caller, variable] of variables) {
    const value = readBoolean(env, variable)
    if (value === false && !Object.hasOwn(keys, caller)) {
      throw nothingInstead(
        asSet(env, variable),
        `the old key of this caller is not set (${legacyVariables.get(caller)})`,
      )
    }
    if (value !== undefined) own[caller] = value
  }
  if (Object.keys(own).length === 0) return all
  for (const caller of Object.keys(keys)) if (!Object.hasOwn(own, caller)) own[caller] = all ?? false
  return own
}

/** A key of two callers does not tell which of them came. */
function assertDifferent(
  env: Environment,
  keys: Readonly<Record<string, readonly string[]>>,
  variables: ReadonlyMap<string, string>,
): void {
  const owners = new Map<string, string>()
  for (const [caller, [key = '']] of Object.entries(keys)) {
    const other = owners.get(key)
    if (other !== undefined) {
      throw new OptionError(
        'ERR_COUNTERSIGN_OPTION_INVALID',
        asSet(env, variables.get(caller) ?? ''),
        `${OWNER}: ${namesOf(env, [other, caller], variables)} have the same key, so its caller is ambiguous: set ` +
          `${variables.get(SHARED_CALLER) ?? 'the variable that "names.legacy" has for "*shared*"'} to it instead`,
      )
    }
    owners.set(key, caller)
  }
}

function namesOf(env: Environment, callers: readonly string[], variables: ReadonlyMap<string, string>): string {
  return callers.map((caller) => asSet(env, variables.get(caller) ?? '')).join(' and ')
}

function nothingInstead(variable: string, missing: string): OptionError {
  return new OptionError(
    'ERR_COUNTERSIGN_OPTION_MISSING',
    variable,
    `${variable} is false, but ${missing}, so no request could get in: set it, or remove ${variable}`,
  )
}
