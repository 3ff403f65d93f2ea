import { type Denied, denied, listed } from '@countersign/core/gate-kit'
import { isBound, isBoundToKey } from '../claims.js'
import type { DpopMode } from '../dpop-options.js'
import type { MtlsMode } from '../mtls-options.js'
import type { OAuthBearerPrincipal } from '../principal.js'
import type { OAuthBearerReason } from '../reasons.js'
import { isJsonObject, type JsonObject } from '../strict-encoding.js'

/** What a token is bound to, of what can be checked here: members of `cnf` (RFC 7800 §3.1) that its sender must prove. */
export type Binding = NonNullable<OAuthBearerPrincipal['confirmation']>

/** What is checked, and what must be. */
export interface BindingModes {
  readonly dpop: DpopMode | undefined
  readonly mtls: MtlsMode | undefined
}

/**
 * What the sender of a token must prove: undefined for nothing, or the refusal of a token that is bound otherwise than it is
 * presented. Further members of `cnf` do not matter where those that are checked here hold. What is bound to a key is never
 * taken as a bearer token, whatever else it is bound to.
 *
 * Source: RFC 9449 §7.1 and §7.2, RFC 8705 §3, RFC 7800 §3.1.
 */
export function bindingOf(
  claims: JsonObject,
  scheme: string,
  { dpop, mtls }: BindingModes,
): Binding | Denied<OAuthBearerReason> | undefined {
  const cnf = isJsonObject(claims.cnf) ? claims.cnf : undefined
  const needsKey = scheme === 'dpop' || dpop === 'required'
  const needsCertificate = mtls === 'required'
  const jkt = scheme === 'dpop' && dpop !== undefined ? textOf(cnf?.jkt) : undefined
  const thumbprint = mtls === undefined ? undefined : textOf(cnf?.['x5t#S256'])
  const lacks = (needsKey && jkt === undefined) || (needsCertificate && thumbprint === undefined)
  if (!lacks) {
    if (jkt !== undefined || (thumbprint !== undefined && !isBoundToKey(claims))) {
      return { ...(jkt === undefined ? {} : { jkt }), ...(thumbprint === undefined ? {} : { 'x5t#S256': thumbprint }) }
    }
    if (!isBound(claims)) return undefined
  }
  const expected = [...(needsKey ? ['jkt'] : []), ...(needsCertificate ? ['x5t#S256'] : [])]
  return denied('bound_token', {
    detail: {
      attributes: {
        binding: cnf === undefined ? 'none' : listed(Object.keys(cnf)),
        expected_binding: expected.length === 0 ? 'none' : listed(expected),
      },
    },
  })
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined
}
