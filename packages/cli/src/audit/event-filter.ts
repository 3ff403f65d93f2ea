import type { AuditEvent } from '@countersign/audit'

/** Which events are wanted; what is left out wants all. */
export interface FilterOptions {
  readonly type?: readonly string[]
  readonly gate?: readonly string[]
  readonly reason?: readonly string[]
  readonly principal?: readonly string[]
  readonly credential?: readonly string[]
  readonly outcome?: string
  readonly severity?: string
  /** Seconds back from now. */
  readonly since?: number
}

const SEVERITIES = ['info', 'warning', 'critical']

/** Whether an event is one of those that are asked for: every filter must hold, and of a repeated one any. */
export function createFilter(options: FilterOptions, nowMs = Date.now()): (event: AuditEvent) => boolean {
  const { type, gate, reason, principal, credential, outcome, severity, since } = options
  const fromMs = since === undefined ? Number.NEGATIVE_INFINITY : nowMs - since * 1000
  const least = severity === undefined ? -1 : SEVERITIES.indexOf(severity)
  return (event) =>
    matches(type, event.type) &&
    matches(gate, event.gate) &&
    matches(reason, event.reason) &&
    matches(principal, event.principal?.id) &&
    matches(credential, event.credential?.id) &&
    (outcome === undefined || event.outcome === outcome) &&
    SEVERITIES.indexOf(event.severity) >= least &&
    (since === undefined || Date.parse(event.time) >= fromMs)
}

/** A pattern is a text, or the beginning of one when it ends with `*`. */
function matches(patterns: readonly string[] | undefined, value: string | undefined): boolean {
  if (patterns === undefined) return true
  if (value === undefined) return false
  return patterns.some((pattern) =>
    pattern.endsWith('*') ? value.startsWith(pattern.slice(0, -1)) : value === pattern,
  )
}
