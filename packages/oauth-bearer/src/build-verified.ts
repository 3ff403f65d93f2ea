import { granted } from '@countersign/core/gate-kit'
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

type Mutable<T> = { -readonly [K in keyof T]: T[K] }

/** A frozen principal. */
export function toPrincipal(identity: Identity): OAuthBearerPrincipal {
  const { issuer, subject, clientId, scopes, expiresAt, claims, via } = identity
  const id = subject === undefined ? `${issuer}|client|${clientId}` : `${issuer}|${subject}`
  // What is undefined is left out; spreads that do so would cost more than all the checks of the claims.
  const principal: Mutable<Partial<OAuthBearerPrincipal>> = { kind: 'oauth-bearer', id, issuer }
  if (subject !== undefined) principal.subject = subject
  if (clientId !== undefined) principal.clientId = clientId
  principal.scopes = scopes
  if (expiresAt !== undefined) principal.expiresAt = expiresAt
  principal.claims = claims
  principal.via = via
  return deepFreeze(principal as OAuthBearerPrincipal)
}

/** What checked claims come to. */
export function toVerified(
  issuer: ResolvedIssuer,
  claims: JsonObject,
  times: Times,
  via: Via,
  { key, keepUntilMs }: Pick<Verified, 'key' | 'keepUntilMs'>,
): Verified {
  const { expiresAt, notBefore } = times
  const principal = toPrincipal({
    issuer: issuer.issuer,
    subject: typeof claims.sub === 'string' ? claims.sub : undefined,
    clientId: clientIdOf(claims),
    scopes: scopesOf(claims, issuer.scopeClaims),
    expiresAt,
    claims: mapClaims(claims, issuer.claims),
    via,
  })
  const { toleranceMs } = issuer
  return { outcome: 'verified', verdict: toVerdict(principal), notBefore, expiresAt, toleranceMs, key, keepUntilMs }
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
  if (mapped.length === 0) return { ...claims }
  return { ...claims, ...Object.fromEntries(mapped.map(([name, from]) => [name, claims[from]])) }
}
