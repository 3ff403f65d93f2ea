import type { Environment } from '@countersign/core'
import { secretsFromEnv } from '@countersign/hmac'
import { isCaller, SHARED_CALLER, variablePart } from '@countersign/hmac/store'
import { usageError } from '../errors.js'

const PREFIX = 'COUNTERSIGN_HMAC_SECRET_'

/** @throws {CommandError} for a text that cannot be the name of a caller. */
export function requireCaller(caller: string | undefined): void {
  if (caller === undefined || caller === SHARED_CALLER || isCaller(caller)) return
  throw usageError('a caller is a name of a-z 0-9 . _ - that starts with a letter or digit, at most 64 long')
}

/** The variable that {@link secretsFromEnv} reads for a version of a caller's secret. */
export function secretVariable(caller: string, version = 1): string {
  return `${PREFIX}${variablePart(caller)}${version === 1 ? '' : `_V${version}`}`
}

/** Whether any version of a caller's secret is set, directly or as a file. */
export function hasSecret(env: Environment, caller: string): boolean {
  const variable = secretVariable(caller)
  const rest = /^(?:_V\d+)?(?:_FILE)?$/
  return Object.keys(env).some((name) => name.startsWith(variable) && rest.test(name.slice(variable.length)))
}

/** The callers that have variables. A variable's name does not tell `.` from `-`: it is taken as `-`. `…_SHARED` is the secret that all share. */
export function callersIn(env: Environment): string[] {
  const names = Object.keys(env)
    .filter((variable) => variable.startsWith(PREFIX) && env[variable] !== undefined)
    .map((variable) =>
      variable
        .slice(PREFIX.length)
        .replace(/_FILE$/, '')
        .replace(/_V\d+$/, ''),
    )
  const shared = variablePart(SHARED_CALLER)
  return [...new Set(names)]
    .map((name) => (name === shared ? SHARED_CALLER : name.toLowerCase().replaceAll('_', '-')))
    .sort()
}

/** @throws {OptionError} for a secret with which the app would not start. */
export function requireSecret(caller: string, secret: string): void {
  secretsFromEnv({ [secretVariable(caller)]: secret }, { callers: [caller] })
}
