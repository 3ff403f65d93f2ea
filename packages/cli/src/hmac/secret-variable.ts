import type { Environment } from '@countersign/core'

/** The variable of a caller's secret: the name that `secretsFromEnv` has by default. */
export function secretVariable(caller: string): string {
  return `COUNTERSIGN_HMAC_SECRET_${variablePart(caller)}`
}

/** A caller as a part of a variable's name. */
export function variablePart(caller: string): string {
  return caller.toUpperCase().replace(/[.-]/g, '_')
}

/** The variable of one version: the plain name is version 1. */
export function versionVariable(caller: string, version: number): string {
  return version === 1 ? secretVariable(caller) : `${secretVariable(caller)}_V${version}`
}

/** Whether any version of a caller's secret is set, by itself or as a file. */
export function hasSecret(env: Environment, caller: string): boolean {
  const variable = secretVariable(caller)
  const rest = /^(?:_V\d+)?(?:_FILE)?$/
  return Object.keys(env).some((name) => name.startsWith(variable) && rest.test(name.slice(variable.length)))
}
