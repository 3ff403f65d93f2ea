import { type Audit, type AuditEvent, createAudit } from '@countersign/audit'

/** An emitter of the test's own, and what was told to it. */
export function recordedAudit(): { audit: Audit; events: AuditEvent[]; reasons(): (string | undefined)[] } {
  const events: AuditEvent[] = []
  const audit = createAudit({ sinks: [(event) => void events.push(event)] })
  return { audit, events, reasons: () => events.map((event) => event.reason) }
}
