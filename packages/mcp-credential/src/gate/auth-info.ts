import type { McpCredentialPrincipal } from '../principal.js'

/** The MCP SDK's `AuthInfo`, v1 and v2: what tools see as `extra.authInfo` and as `context.http.authInfo`. */
export interface McpAuthInfo {
  /** The credential's id. Never the token: a tool could pass it on. */
  token: string
  /** The provider instance. */
  clientId: string
  scopes: string[]
  /** Seconds since the epoch. */
  expiresAt: number
  extra: Record<string, unknown>
}

export function authInfoFrom(principal: McpCredentialPrincipal): McpAuthInfo {
  const { id, threadId, providerInstanceId, providerSessionId, capabilities, expiresAt } = principal
  return {
    token: id,
    clientId: providerInstanceId,
    scopes: [...capabilities],
    expiresAt: Math.floor(expiresAt / 1000),
    extra: { credentialId: id, threadId, providerInstanceId, providerSessionId },
  }
}
