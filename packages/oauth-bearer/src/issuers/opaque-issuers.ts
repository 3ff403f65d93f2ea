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
  const nameOf = (issuer: CheckedIssuerOptions | undefined) =>
    `issuer[${issuers.indexOf(issuer as CheckedIssuerOptions)}].tokenPrefix`
  const without = opaque.find(({ tokenPrefix }) => tokenPrefix === undefined)
  if (without !== undefined) {
    throw new OptionError(
      'ERR_COUNTERSIGN_OPTION_MISSING',
      nameOf(without),
      `requireOAuthBearer: more than one issuer accepts opaque tokens: set "${nameOf(without)}", and that of the others`,
    )
  }
  const clash = opaque.find((issuer) =>
    opaque.some((other) => other !== issuer && issuer.tokenPrefix?.startsWith(other.tokenPrefix ?? '')),
  )
  if (clash !== undefined) {
    throw new OptionError(
      'ERR_COUNTERSIGN_OPTION_INVALID',
      nameOf(clash),
      `requireOAuthBearer: option "${nameOf(clash)}" ${JSON.stringify(clash.tokenPrefix)} begins with that of another issuer`,
    )
  }
}
