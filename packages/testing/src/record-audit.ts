import { type Audit, type AuditEvent, createAudit } from '@countersign/core'

/** An emitter of the test's own, and what was reported to it. */
export interface RecordedAudit {
  /** Give it to the gates: `requireHmac({ …, audit })`. */
  readonly audit: Audit
  /** Every event so far, in its order. */
  readonly events: AuditEvent[]
  /** The reason of each event; undefined for those that have none, such as grants. */
  reasons(): (string | undefined)[]
  /** The last event that is a decision of a gate. */
  lastDecision(): AuditEvent | undefined
  /** Forgets what was reported so far. */
  clear(): void
}

/**
 * Records what gates report.
 *
 * @example
 * const { audit, events } = recordAudit()
 * app.use(requireHmac({ secrets, audience, audit }))
 */
export function recordAudit(): RecordedAudit {
  const events: AuditEvent[] = []
  return {
    audit: createAudit({ sinks: [(event) => void events.push(event)] }),
    events,
    reasons: () => events.map(({ reason }) => reason),
    lastDecision: () => events.findLast(({ type }) => type.startsWith('access.')),
    clear: () => {
      events.length = 0
    },
  }
}
