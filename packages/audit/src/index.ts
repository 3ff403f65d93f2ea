export type {
  Audit,
  AuditEvent,
  AuditFilter,
  AuditOptions,
  AuditSink,
  AuditSinkFunction,
  AuditStats,
  SubscribeOptions,
} from '@countersign/core'
export { audit, createAudit } from '@countersign/core'
