import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import type { Environment } from '@countersign/core'
import { type HmacSecretVersion, secretsFromEnv } from '@countersign/hmac'
import { CommandError, notFoundError, usageError } from '../command-error.js'
import { exitCodes } from '../exit-codes.js'
import { addVariable, readEnvFile, removeVariable } from './env-file.js'
import type { SecretBackend } from './secret-backend.js'
import { hasSecret, secretVariable, versionVariable } from './secret-variable.js'

const PREFIX = 'COUNTERSIGN_HMAC_SECRET_'

/** The secrets in a file of `NAME=value` lines, or in the environment of the command itself, which can only be read. */
export function environmentBackend(env: Environment, file: string | undefined): SecretBackend {
  const read = (): Environment => (file === undefined ? env : readEnvFile(file))

  function versions(caller: string): readonly HmacSecretVersion[] {
    const variables = read()
    if (!hasSecret(variables, caller)) return []
    return secretsFromEnv(variables, { callers: [caller] }).list(caller) as readonly HmacSecretVersion[]
  }

  function changeable(remedy: string): string {
    if (file !== undefined) return file
    throw usageError(`the environment of a process cannot be changed: give --dotenv, or ${remedy}`)
  }

  return {
    kind: 'environment',
    list: async (caller) => (caller === undefined ? callersIn(read()).flatMap(versions) : versions(caller)),
    async add(caller, version, secret) {
      const variable = versionVariable(caller, version)
      const target = changeable(`set ${variable} where the app gets its environment from`)
      if (existsSync(target) && versions(caller).some((entry) => entry.version === version)) {
        throw new CommandError(
          `version ${version} of "${caller}" exists: a version is never replaced`,
          exitCodes.failed,
        )
      }
      addVariable(target, variable, checked(caller, secret))
    },
    async rotate(caller, { secret, graceSeconds, pending }) {
      if (graceSeconds !== undefined || pending) {
        throw usageError(
          'the environment keeps no dates: --grace and --pending need the PostgreSQL store. Rotate without them, then ' +
            'revoke the previous version when every signer has the new one',
        )
      }
      const [newest] = versions(caller)
      if (newest === undefined) throw notFoundError(`no secret of "${caller}" is set: add one with "hmac seed"`)
      const version = newest.version + 1
      const made = randomBytes(48).toString('base64')
      const variable = versionVariable(caller, version)
      addVariable(changeable(`set ${variable} where the app gets its environment from`), variable, secret ?? made)
      return { caller, version, secret: secret === undefined ? made : undefined }
    },
    async revoke(caller, version) {
      const found = versions(caller).some((entry) => entry.version === version)
      if (!found) return false
      const name = secretVariable(caller)
      const target = changeable(`remove ${versionVariable(caller, version)} where the app gets its environment from`)
      const names = version === 1 ? [name, `${name}_V1`] : [`${name}_V${version}`]
      for (const variable of names.flatMap((one) => [one, `${one}_FILE`])) removeVariable(target, variable)
      return true
    },
    close: async () => undefined,
  }
}

/** The callers that the variables' names tell of. A name does not tell `.` from `-`: it is taken as `-`. */
export function callersIn(env: Environment): string[] {
  const names = Object.keys(env)
    .filter((variable) => variable.startsWith(PREFIX) && env[variable] !== undefined)
    .map((variable) =>
      variable
        .slice(PREFIX.length)
        .replace(/_FILE$/, '')
        .replace(/_V\d+$/, ''),
    )
  return [...new Set(names)].map((name) => name.toLowerCase().replaceAll('_', '-')).sort()
}

/** A secret that the app would refuse at its start is refused here. */
function checked(caller: string, secret: string): string {
  secretsFromEnv({ [secretVariable(caller)]: secret }, { callers: [caller] })
  return secret
}
