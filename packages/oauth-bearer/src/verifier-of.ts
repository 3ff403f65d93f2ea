import type { Denied, Unavailable } from '@countersign/core/gate-kit'
import type { McpAuthInfo } from './auth-info.js'
import type { OAuthBearerDependency, OAuthBearerReason } from './reasons.js'

/** A gate's verification of a token that did not come through the gate. */
export type VerifyAlone = (
  token: string,
) => Promise<
  | { readonly outcome: 'granted'; readonly authInfo: McpAuthInfo }
  | Denied<OAuthBearerReason>
  | Unavailable<OAuthBearerDependency | 'audit_sink'>
>

const verifiers = new WeakMap<object, VerifyAlone>()

export function rememberVerifier(gate: object, verify: VerifyAlone): void {
  verifiers.set(gate, verify)
}

/** @throws {TypeError} with code `ERR_COUNTERSIGN_OPTION_INVALID` */
export function verifierOf(gate: object): VerifyAlone {
  const verify = verifiers.get(gate)
  if (verify !== undefined) return verify
  const error = new TypeError('asOAuthTokenVerifier: the first argument must be a gate of requireOAuthBearer')
  throw Object.assign(error, { code: 'ERR_COUNTERSIGN_OPTION_INVALID', option: 'gate' })
}
