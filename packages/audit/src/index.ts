export type { Audit, AuditOptions, AuditStats } from './create-audit.js'
export { AUDIT_CHANNEL, audit, createAudit } from './create-audit.js'
export type {
  AuditAttributes,
  AuditCredential,
  AuditEvent,
  AuditEventInput,
  AuditHttp,
  AuditOutcome,
  AuditSeverity,
} from './event.js'
export type { AuditEventType } from './event-types.js'
export { auditEventTypes } from './event-types.js'
export { safeString } from './normalise.js'
export type { AuditFilter, AuditSink, AuditSinkFunction, SubscribeOptions } from './sink.js'
