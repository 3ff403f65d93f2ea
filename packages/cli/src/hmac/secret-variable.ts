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
