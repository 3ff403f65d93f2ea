import { granted } from '@countersign/core'
import { clientIdOf, scopesOf, type Times } from './check-claims.js'
import type { ResolvedIssuer } from './issuers/issuer.js'
import { deepFreeze, type JsonObject } from './jwt/strict-json.js'
import type { OAuthBearerPrincipal, Via } from './principal.js'
import type { Verified } from './token-outcome.js'

/** Who a principal is, apart from how its claims came. */
export interface Identity {
  readonly issuer: string
  readonly subject?: string
  readonly clientId?: string
  readonly scopes: readonly string[]
  readonly expiresAt?: number
  readonly claims: JsonObject
  readonly via: Via
}

/** A frozen principal. */
export function toPrincipal(identity: Identity): OAuthBearerPrincipal {
  const { issuer, subject, clientId } = identity
  const id = subject === undefined ? `${issuer}|client|${clientId}` : `${issuer}|${subject}`
  return deepFreeze({ kind: 'oauth-bearer', id, ...identity })
}

/** What checked claims come to. */
export function toVerified(
  issuer: ResolvedIssuer,
  claims: JsonObject,
  times: Times,
  via: Via,
  rest: Pick<Verified, 'key' | 'keepUntilMs'>,
): Verified {
  const principal = toPrincipal({
    issuer: issuer.issuer,
    ...(typeof claims.sub === 'string' ? { subject: claims.sub } : {}),
    ...(clientIdOf(claims) === undefined ? {} : { clientId: clientIdOf(claims) }),
    scopes: scopesOf(claims, issuer.scopeClaims),
    ...(times.expiresAt === undefined ? {} : { expiresAt: times.expiresAt }),
    claims: mapClaims(claims, issuer.claims),
    via,
  })
  return { outcome: 'verified', verdict: toVerdict(principal), ...times, toleranceMs: issuer.toleranceMs, ...rest }
}

/** The verdict on a principal; the audit learns by which way it came. */
export function toVerdict(principal: OAuthBearerPrincipal): Verified['verdict'] {
  const { jti } = principal.claims
  const credential = typeof jti === 'string' ? { id: jti } : undefined
  const attributes = { issuer: principal.issuer, via: principal.via }
  return Object.freeze(granted(principal, Object.freeze({ credential, attributes })))
}

/** A copy with the mapped names beside the issuer's own. */
export function mapClaims(claims: JsonObject, map: Readonly<Record<string, string>>): JsonObject {
  const mapped = Object.entries(map).filter(([, from]) => Object.hasOwn(claims, from))
  return { ...claims, ...Object.fromEntries(mapped.map(([name, from]) => [name, claims[from]])) }
}
