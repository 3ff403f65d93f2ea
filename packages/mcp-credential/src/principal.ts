import type { PrincipalBase } from '@countersign/core'
import type { CredentialRecord } from './store/port.js'

/** An agent session that this app started, identified by the credential that it was given. */
export interface McpCredentialPrincipal extends PrincipalBase {
  readonly kind: 'mcp-credential'
  /** The credential's id: safe in logs. */
  readonly id: string
  /** The thread that the credential was issued for. */
  readonly threadId: string
  /** The provider that the credential was issued for. */
  readonly providerInstanceId: string
  /** Undefined when the credential was issued without one. */
  readonly providerSessionId: string | undefined
  /** What the session may do. */
  readonly capabilities: readonly string[]
  /** Milliseconds since the epoch from which it is refused, unless it is used before. */
  readonly expiresAt: number
}

/** The principal of a credential that was proven. */
export function principalFrom(record: CredentialRecord): McpCredentialPrincipal {
  const { credentialId, threadId, providerInstanceId, providerSessionId, capabilities, expiresAt } = record
  return {
    kind: 'mcp-credential',
    id: credentialId,
    threadId,
    providerInstanceId,
    providerSessionId,
    capabilities,
    expiresAt,
  }
}

declare module '@countersign/core' {
  interface PrincipalTypes {
    'mcp-credential': McpCredentialPrincipal
  }
}
