import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import type { Environment } from '@countersign/core'
import { secretsFromEnv } from '@countersign/hmac'
import type { HmacSecretVersion } from '@countersign/hmac/store'
import { failedError, notFoundError, usageError } from '../errors.js'
import { addVariable, readEnvFile, removeVariable } from './env-file.js'
import type { SecretBackend } from './secret-backend.js'
import { callersIn, hasSecret, requireSecret, secretVariable } from './variables.js'

/** The secrets in a file of `NAME=value` lines, or in the environment of the command, which can only be read. */
export function environmentBackend(env: Environment, file: string | undefined): SecretBackend {
  const read = (): Environment => (file === undefined ? env : readEnvFile(file))

  function versions(caller: string): readonly HmacSecretVersion[] {
    if (file !== undefined && !existsSync(file)) return []
    const variables = read()
    if (!hasSecret(variables, caller)) return []
    return secretsFromEnv(variables, { callers: [caller] }).list(caller) as readonly HmacSecretVersion[]
  }

  /** The file. @throws {CommandError} without one. */
  function writable(change: string): string {
    if (file !== undefined) return file
    throw usageError(
      `the environment of a process cannot be changed: use --dotenv, or ${change} where the app gets its environment from`,
    )
  }

  return {
    kind: 'environment',
    list: async (caller) => (caller === undefined ? callersIn(read()).flatMap(versions) : versions(caller)),
    async add(caller, version, secret, { acceptsShared } = { acceptsShared: false }) {
      if (acceptsShared) this.acceptShared(caller, true)
      const variable = secretVariable(caller, version)
      const target = writable(`set ${variable}`)
      if (versions(caller).some((entry) => entry.version === version)) {
        throw failedError(`version ${version} of "${caller}" already exists: a version is never replaced`)
      }
      requireSecret(caller, secret)
      await addVariable(target, variable, secret)
    },
    async rotate(caller, { secret, graceSeconds, pending }) {
      if (graceSeconds !== undefined || pending) {
        throw usageError(
          'the environment stores no dates: --grace and --pending need the PostgreSQL store. Rotate without them, and ' +
            'revoke the previous version when every signer has the new one',
        )
      }
      const [newest] = versions(caller)
      if (newest === undefined) throw notFoundError(`no secret of "${caller}" is set: add one with "hmac seed"`)
      const version = newest.version + 1
      const generated = secret === undefined ? randomBytes(48).toString('base64') : undefined
      const variable = secretVariable(caller, version)
      const target = writable(`set ${variable}`)
      if (secret !== undefined) requireSecret(caller, secret)
      await addVariable(target, variable, secret ?? (generated as string))
      return { caller, version, secret: generated }
    },
    async revoke(caller, version) {
      if (!versions(caller).some((entry) => entry.version === version)) return false
      const target = writable(`remove ${secretVariable(caller, version)}`)
      const name = secretVariable(caller)
      const names = version === 1 ? [name, `${name}_V1`] : [`${name}_V${version}`]
      for (const variable of names.flatMap((one) => [one, `${one}_FILE`])) await removeVariable(target, variable)
      return true
    },
    acceptShared(caller) {
      throw usageError(
        `this command does not change the environment: add "${caller}" to COUNTERSIGN_HMAC_ACCEPT_SHARED_FOR, the callers that ` +
          'may also use the shared secret, or remove it there, and restart the verifiers',
      )
    },
    forget(caller) {
      throw usageError(
        `this command does not change the environment: remove ${secretVariable(caller)} and its versions there`,
      )
    },
    close: async () => undefined,
  }
}
