import type { Audit } from '@countersign/core'
import {
  type AuditAttributes,
  type AuditEventInput,
  type AuditEventType,
  type EndedConnection,
  listed,
  recordGrant,
} from '@countersign/core/gate-kit'
import type { CredentialRecord, MaybePromise, OnExisting, RevocableScope } from '../store/port.js'

/** Reports each change of state as one event. */
export interface CredentialEvents {
  /**
   * Throws or rejects with an `UnavailableError` when a required sink did not record it, after `undo` revoked it.
   */
  issued(credential: CredentialRecord, existing: OnExisting, undo: () => unknown): MaybePromise<void>
  superseded(id: string, by: string): void
  revoked(id: string, attributes?: AuditAttributes): void
  scopeRevoked(scope: RevocableScope, id: string, found: boolean, attributes: AuditAttributes): void
  retired(threadId: string, attributes: AuditAttributes): void
  /** An idle one was used again, because the host says that its thread is alive. */
  revived(id: string): void
  restored(credentials: number): void
  /** An open response or socket was ended. */
  connectionEnded(id: string, cause: EndedConnection): void
}

const GATE = 'mcp-credential'

/** The events of a registry. */
export function credentialEvents(audit: Audit): CredentialEvents {
  function eventOf(type: AuditEventType, id: string, attributes: AuditAttributes): AuditEventInput {
    return { type, gate: GATE, principal: { kind: GATE, id }, credential: { id }, attributes }
  }
  function emit(type: AuditEventType, id: string, attributes: AuditAttributes): void {
    if (audit.active) void audit.emit(eventOf(type, id, attributes))
  }
  function emitScope(type: AuditEventType, attributes: AuditAttributes): void {
    if (audit.active) void audit.emit({ type, gate: GATE, attributes })
  }
  return {
    issued({ credentialId, threadId, providerInstanceId, capabilities }, existing, undo) {
      const attributes = {
        thread_id: threadId,
        provider_instance_id: providerInstanceId,
        capabilities: listed(capabilities),
        existing,
      }
      return recordGrant(audit, eventOf('mcp.credential.issued', credentialId, attributes), undo)
    },
    superseded: (id, by) => emit('mcp.credential.superseded', id, { by }),
    revoked: (id, attributes = {}) => emit('mcp.credential.revoked', id, attributes),
    scopeRevoked: (scope, id, found, attributes) => emitScope('mcp.scope.revoked', { scope, id, found, ...attributes }),
    retired: (threadId, attributes) => emitScope('mcp.thread.retired', { thread_id: threadId, ...attributes }),
    revived: (id) => emit('mcp.credential.revived', id, {}),
    restored: (credentials) => emitScope('mcp.credentials.restored', { credentials }),
    connectionEnded: (id, cause) => emit('connection.ended', id, { cause }),
  }
}
