import { type Denied, denied, listed } from '@countersign/core/gate-kit'
import { isBound } from '../claims.js'
import type { DpopMode } from '../dpop-options.js'
import type { OAuthBearerReason } from '../reasons.js'
import { isJsonObject, type JsonObject } from '../strict-encoding.js'

/** What a token is bound to, of what can be checked here: members of `cnf` (RFC 7800 §3.1) that its sender must prove. */
export interface Binding {
  /** The thumbprint of the key that must have signed the proof (RFC 9449 §6.1). */
  readonly jkt: string
}

/**
 * What the sender of a token must prove: undefined for nothing, or the refusal of a token that is bound otherwise than it is
 * presented. Further members of `cnf` do not matter where the one that is checked here holds.
 *
 * Source: RFC 9449 §7.1 and §7.2, RFC 7800 §3.1.
 */
export function bindingOf(
  claims: JsonObject,
  scheme: string,
  mode: DpopMode | undefined,
): Binding | Denied<OAuthBearerReason> | undefined {
  const cnf = isJsonObject(claims.cnf) ? claims.cnf : undefined
  const isProven = scheme === 'dpop'
  const jkt = isProven && mode !== undefined ? cnf?.jkt : undefined
  if (typeof jkt === 'string') return { jkt }
  if (!isProven && mode !== 'required' && !isBound(claims)) return undefined
  const needsKey = isProven || mode === 'required'
  return denied('bound_token', {
    detail: {
      attributes: {
        binding: cnf === undefined ? 'none' : listed(Object.keys(cnf)),
        expected_binding: needsKey ? 'jkt' : 'none',
      },
    },
  })
}
