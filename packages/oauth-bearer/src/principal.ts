import type { PrincipalBase } from '@countersign/core'

/** How a token was verified. */
export type Via = 'jwt' | 'introspection' | 'verify' | 'legacy'

/** The holder of an access token that was issued for this resource. */
export interface OAuthBearerPrincipal extends PrincipalBase {
  readonly kind: 'oauth-bearer'
  /** `<issuer>|<subject>`; without a subject `<issuer>|client|<client_id>`. */
  readonly id: string
  readonly issuer: string
  readonly subject?: string
  readonly clientId?: string
  /** As granted: what a scope implies is not in here. */
  readonly scopes: readonly string[]
  /** ms since the epoch; absent when the issuer did not say. */
  readonly expiresAt?: number
  /** The token's claims with the mapped ones beside them, frozen all through. */
  readonly claims: Readonly<Record<string, unknown>>
  readonly via: Via
}

declare module '@countersign/core' {
  interface PrincipalTypes {
    'oauth-bearer': OAuthBearerPrincipal
  }
}
