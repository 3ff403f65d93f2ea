import type { OAuthBearerPrincipal } from './principal.js'

/** What the MCP SDK calls `AuthInfo`: tools see it as `ctx.http.authInfo`. */
export interface McpAuthInfo {
  token: string
  /** `''` when the issuer did not say which client it is. */
  clientId: string
  scopes: string[]
  /** Seconds since the epoch. */
  expiresAt?: number
  resource?: URL
  extra?: Record<string, unknown>
}

/** A new object each time: the SDK and tools may write to it. */
export function toAuthInfo(principal: OAuthBearerPrincipal, token: string, resource: string): McpAuthInfo {
  const { clientId = '', scopes, expiresAt, issuer, subject, claims } = principal
  return {
    token,
    clientId,
    scopes: [...scopes],
    ...(expiresAt === undefined ? {} : { expiresAt: Math.floor(expiresAt / 1000) }),
    resource: new URL(resource),
    extra: { issuer, ...(subject === undefined ? {} : { subject }), claims },
  }
}
