import { OptionError } from '@countersign/core'
import type { CheckedIssuerOptions } from './issuer-options.js'

/**
 * An opaque token is sent to one issuer only, or one issuer's tokens leak to another. So only one issuer may accept opaque
 * tokens, unless each one has a `tokenPrefix` and no prefix begins with another one.
 *
 * @throws {OptionError}
 */
export function assertOneOpaqueIssuer(issuers: readonly CheckedIssuerOptions[]): void {
  const opaque = issuers.filter(({ kind }) => kind !== 'jwt')
  if (opaque.length < 2) return
  const prefixes = opaque.flatMap(({ tokenPrefix }) => tokenPrefix ?? [])
  if (prefixes.length < opaque.length) {
    throw new OptionError(
      'ERR_COUNTERSIGN_OPTION_MISSING',
      'tokenPrefix',
      'requireOAuthBearer: more than one issuer accepts opaque tokens: set "tokenPrefix" for each of them',
    )
  }
  const clash = prefixes.find((one, index) => prefixes.some((other, at) => at !== index && one.startsWith(other)))
  if (clash !== undefined) {
    throw new OptionError(
      'ERR_COUNTERSIGN_OPTION_INVALID',
      'tokenPrefix',
      `requireOAuthBearer: option "tokenPrefix" ${JSON.stringify(clash)} begins with that of another issuer`,
    )
  }
}
