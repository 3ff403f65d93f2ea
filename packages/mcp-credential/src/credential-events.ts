import type { Audit } from '@countersign/core'
import type { AuditEventInput } from '@countersign/core/gate-kit'
import type { CredentialRecord, RevocableScope } from './stores/store.js'

/** Reports each change of state, once. */
export function credentialEvents(audit: Audit) {
  function emit(type: AuditEventInput['type'], id: string, attributes: AuditEventInput['attributes']): void {
    if (!audit.active) return
    const principal = { kind: 'mcp-credential', id }
    void audit.emit({ type, gate: 'mcp-credential', principal, credential: { id }, attributes })
  }
  function emitScope(type: AuditEventInput['type'], attributes: AuditEventInput['attributes']): void {
    if (audit.active) void audit.emit({ type, gate: 'mcp-credential', attributes })
  }
  return {
    issued: ({ credentialId, threadId, providerInstanceId }: CredentialRecord, carried: readonly string[]) =>
      emit('mcp.credential.issued', credentialId, { threadId, providerInstanceId, carried: carried.length }),
    superseded: (id: string, by: string) => emit('mcp.credential.superseded', id, { by }),
    revoked: (id: string) => emit('mcp.credential.revoked', id, {}),
    scopeRevoked: (scope: RevocableScope, id: string, found: boolean) =>
      emitScope('mcp.scope.revoked', { scope, id, found }),
    retired: (threadId: string) => emitScope('mcp.thread.retired', { threadId }),
  }
}
