import type { Request } from 'express'
import type { Profile } from '../jwt/profile.js'
import type { JsonObject } from '../jwt/strict-json.js'
import type { KeySource } from '../keys/key-source.js'
import type { TokenOutcome } from '../token-outcome.js'

/** Which tokens an issuer makes: JWTs that are verified here, others that somebody must be asked about, or both. */
export type IssuerKind = 'jwt' | 'opaque' | 'mixed'

/** When a JWT of this issuer goes to introspection: see the option. */
export type IntrospectionMode = 'opaque-only' | 'keys-unavailable' | 'always' | 'any-failure'

/** One presented token on its way. */
export interface Presented {
  /** The authentication scheme, in lower case. */
  readonly scheme: string
  readonly token: string
  /** Absent when the token did not come with a request of Express. */
  readonly request?: Request
  /** A full SHA-256 of the token, after its scheme when that is not Bearer: what caches know it by. */
  readonly digest: string
}

/** Asks about a token that cannot be verified here: introspection, or the `verify` function. */
export type OpaqueVerifier = (presented: Presented, now: number) => TokenOutcome | Promise<TokenOutcome>

/** An issuer as the gate uses it. */
export interface ResolvedIssuer {
  readonly issuer: string
  readonly kind: IssuerKind
  readonly tokenPrefix?: string
  readonly algorithms: readonly string[]
  readonly profile: Profile
  readonly audiences: readonly string[]
  readonly checkAudience?: (claims: JsonObject) => boolean
  readonly clientIds?: readonly string[]
  readonly scopeClaims: readonly string[]
  /** Names in the principal's claims → names in the token's. */
  readonly claims: Readonly<Record<string, string>>
  readonly toleranceMs: number
  /** For kinds `jwt` and `mixed`. */
  readonly keys?: KeySource
  /** For kinds `opaque` and `mixed`. */
  readonly askAbout?: OpaqueVerifier
  readonly introspectionMode: IntrospectionMode
  /** Says once, to whoever runs this, that this issuer's tokens may want the relaxed profile. */
  warnOfType(): void
}
