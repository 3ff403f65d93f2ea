import { type Audit, type AuditEvent, createAudit } from '@countersign/core'

/** How a required sink fails: in the same tick, later, or by taking no end. */
export type SinkFailure = 'throws' | 'rejects' | 'hangs'

export const SINK_FAILURES: readonly SinkFailure[] = ['throws', 'rejects', 'hangs']

/** What an operation rejects with that a required sink did not record. */
export const UNRECORDED = { name: 'UnavailableError', code: 'ERR_COUNTERSIGN_UNAVAILABLE', dependency: 'audit_sink' }

export interface RequiredAudit {
  readonly audit: Audit
  /** What the required sink has recorded. */
  readonly recorded: AuditEvent[]
  /** What a sink that is not required was told, without the reports about sinks. */
  readonly events: AuditEvent[]
  /** From now on the required sink fails, or works again; or it fails for events of these types alone. */
  fail(failure: SinkFailure | undefined, ...types: readonly string[]): void
}

/** An emitter with a required sink that can fail. */
export function requiredAudit(): RequiredAudit {
  const recorded: AuditEvent[] = []
  const events: AuditEvent[] = []
  let failing: SinkFailure | undefined
  let types: readonly string[] = []
  const audit = createAudit()
  audit.subscribe(
    (event) => void events.push(event),
    ({ type }) => !type.startsWith('audit.'),
  )
  const write = (event: AuditEvent): void | Promise<void> => {
    if (failing === undefined || (types.length > 0 && !types.includes(event.type))) return void recorded.push(event)
    if (failing === 'hangs') return new Promise(() => undefined)
    const error = new Error('the disk is full')
    if (failing === 'rejects') return Promise.reject(error)
    throw error
  }
  audit.subscribe({ name: 'required', write }, { required: true, deadlineMs: 20 })
  return {
    audit,
    recorded,
    events,
    fail(failure, ...given) {
      failing = failure
      types = given
    },
  }
}

/** The type, outcome and reason of events: what became of what. */
export function endings(events: readonly AuditEvent[]): (string | undefined)[][] {
  return events.map(({ type, outcome, reason }) => (reason === undefined ? [type, outcome] : [type, outcome, reason]))
}
