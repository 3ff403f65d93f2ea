import type { AuditEvent } from '@countersign/core'
import { auditEventTypes } from '@countersign/core/gate-kit'

/** Whether an event of this type is a decision on a request: those are counted by themselves. */
export function isDecision(type: string): boolean {
  return type.startsWith('access.')
}

/** The types of the catalogue that are no decisions: each is counted from 0, so that a first event is a rise. */
export const otherTypes: readonly string[] = Object.keys(auditEventTypes).filter((type) => !isDecision(type))

/** What a sink lost, when an event tells of it. */
export interface Loss {
  readonly sink: string
  /** `failed`: the sink did not take it; `dropped`: it was too slow. */
  readonly cause: 'failed' | 'dropped'
  readonly count: number
}

/** How many events which sink lost, if that is what an event tells of. */
export function lossOf({ type, attributes: { sink, failures, dropped } = {} }: AuditEvent): Loss | undefined {
  if (type === 'audit.sink.failed') return { sink: String(sink), cause: 'failed', count: Number(failures) }
  if (type === 'audit.events.dropped') return { sink: String(sink), cause: 'dropped', count: Number(dropped) }
  return undefined
}
