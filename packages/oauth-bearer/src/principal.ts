import type { PrincipalBase } from '@countersign/core'
import { type Granted, granted } from '@countersign/core/gate-kit'
import { type ClaimRules, clientIdOf, scopesOf } from './claims.js'
import { deepFreeze, type JsonObject } from './strict-encoding.js'

/** How a token was verified: by its signature, by introspection, by the app's `verify`, or as a legacy token. */
export type Via = 'jwt' | 'introspection' | 'verify' | 'legacy'

/** The holder of an access token that was issued for this resource. */
export interface OAuthBearerPrincipal extends PrincipalBase {
  readonly kind: 'oauth-bearer'
  /**
   * `<issuer>|<subject>`; without a subject `<issuer>|client|<client_id>`. A subject that begins with `client|` or `subject|`
   * follows `subject|`, so that no subject has the id of a client. `|` and `%` in the issuer are percent-encoded, so that no
   * issuer's subjects have the ids of another's.
   */
  readonly id: string
  /** The issuer's identifier. */
  readonly issuer: string
  /** The token's subject; absent for a token without one. */
  readonly subject?: string
  /** The client that the token was issued to; absent if the token does not say. */
  readonly clientId?: string
  /** As granted: without the scopes that a scope implies. */
  readonly scopes: readonly string[]
  /** Milliseconds since the epoch; absent if the issuer does not say. */
  readonly expiresAt?: number
  /** The token's claims with the mapped names beside them, deeply frozen. */
  readonly claims: Readonly<Record<string, unknown>>
  /** How the token was verified. */
  readonly via: Via
  /**
   * What the sender of this request proved to have, of what the token is bound to: the key with this thumbprint (RFC 7638), by
   * DPoP. Absent for a bearer token.
   */
  readonly confirmation?: { readonly jkt?: string; readonly 'x5t#S256'?: string }
}

declare module '@countersign/core' {
  interface PrincipalTypes {
    'oauth-bearer': OAuthBearerPrincipal
  }
}

/** What a principal is built from. It has a subject or a client. */
export interface Identity {
  readonly issuer: string
  readonly subject: string | undefined
  readonly clientId: string | undefined
  readonly scopes: readonly string[]
  /** Milliseconds since the epoch. */
  readonly expiresAt: number | undefined
  readonly claims: JsonObject
  /** Additional names of claims → the claims' own names. */
  readonly claimNames: Readonly<Record<string, string>>
  readonly via: Via
}

/** As {@link grantTo}, from claims that `checkClaims` accepted. */
export function grantByClaims(
  claims: JsonObject,
  { issuer, scopeClaims, claimNames }: ClaimRules,
  expiresAt: number | undefined,
  via: Via,
): Granted<OAuthBearerPrincipal> {
  const subject = typeof claims.sub === 'string' ? claims.sub : undefined
  const scopes = scopesOf(claims, scopeClaims)
  return grantTo({ issuer, subject, clientId: clientIdOf(claims), scopes, expiresAt, claims, claimNames, via })
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] }

/** Builds the frozen principal, in the verdict that grants it. The event says which way it was verified. */
export function grantTo(identity: Identity): Granted<OAuthBearerPrincipal> {
  const { issuer, subject, clientId, scopes, expiresAt, claims, claimNames, via } = identity
  const id = `${withoutBars(issuer)}|${subject === undefined ? `client|${clientId}` : unlikeClient(subject)}`
  // Absent members are left out. Spreads would cost more than all checks of the claims.
  const principal: Mutable<Partial<OAuthBearerPrincipal>> = { kind: 'oauth-bearer', id, issuer }
  if (subject !== undefined) principal.subject = subject
  if (clientId !== undefined) principal.clientId = clientId
  principal.scopes = scopes
  if (expiresAt !== undefined) principal.expiresAt = expiresAt
  principal.claims = addClaimNames(claims, claimNames)
  principal.via = via
  const { jti } = claims
  const credential = typeof jti === 'string' ? { id: jti } : undefined
  const detail = Object.freeze({ credential, attributes: { issuer, via } })
  return Object.freeze(granted(deepFreeze(principal as OAuthBearerPrincipal), detail))
}

/**
 * The verdict with a principal of its own. What was verified once is granted to many requests: code that attaches something
 * to a principal, such as in a `WeakMap`, attaches it to that request alone.
 */
export function grantAgain({ principal, detail }: Granted<OAuthBearerPrincipal>): Granted<OAuthBearerPrincipal> {
  return Object.freeze(granted(Object.freeze({ ...principal }), detail))
}

function withoutBars(issuer: string): string {
  return issuer.replace(/[%|]/g, encodeURIComponent)
}

function unlikeClient(subject: string): string {
  return subject.startsWith('client|') || subject.startsWith('subject|') ? `subject|${subject}` : subject
}

function addClaimNames(claims: JsonObject, names: Readonly<Record<string, string>>): JsonObject {
  const mapped = Object.entries(names).filter(([, claim]) => Object.hasOwn(claims, claim))
  if (mapped.length === 0) return { ...claims }
  return { ...claims, ...Object.fromEntries(mapped.map(([name, claim]) => [name, claims[claim]])) }
}
