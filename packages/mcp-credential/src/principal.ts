import type { PrincipalBase } from '@countersign/core'
import type { CredentialRecord } from './stores/store.js'

/** An agent session that this app started, by the credential that it was handed. */
export interface McpCredentialPrincipal extends PrincipalBase {
  readonly kind: 'mcp-credential'
  /** The credential's id: safe in logs. */
  readonly id: string
  readonly threadId: string
  readonly providerInstanceId: string
  /** Undefined when the host named none. */
  readonly providerSessionId: string | undefined
  readonly capabilities: readonly string[]
  /** Milliseconds since the epoch from which it is refused unless it is used before. */
  readonly expiresAt: number
}

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
