import type { AuditEvent } from '@countersign/core'
import { safeString } from '@countersign/core/gate-kit'
import type { Output } from '../output.js'

/** An event from a line of the file; undefined when the line holds none. */
export function parseEvent(line: string): AuditEvent | undefined {
  try {
    const value = JSON.parse(line) as Partial<AuditEvent> | null
    return typeof value?.type === 'string' && typeof value.time === 'string' ? (value as AuditEvent) : undefined
  } catch {
    return undefined
  }
}

/** Which events to show; without a filter all. */
export interface FilterOptions {
  readonly type?: readonly string[]
  readonly gate?: readonly string[]
  readonly reason?: readonly string[]
  readonly principal?: readonly string[]
  readonly credential?: readonly string[]
  readonly outcome?: string
  readonly severity?: string
  /** Seconds before now. */
  readonly since?: number
}

const SEVERITIES = ['info', 'warning', 'critical']

/** Whether an event matches every filter, and any of the values of a repeated one. */
export function createFilter(options: FilterOptions, nowMs: number = Date.now()): (event: AuditEvent) => boolean {
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

function matches(patterns: readonly string[] | undefined, value: string | undefined): boolean {
  if (patterns === undefined) return true
  if (value === undefined) return false
  return patterns.some((pattern) =>
    pattern.endsWith('*') ? value.startsWith(pattern.slice(0, -1)) : value === pattern,
  )
}

const STYLES = { success: 'green', failure: 'yellow', error: 'red' } as const

/** One event in one line: when, what, who, why, where. */
export function formatEvent(event: AuditEvent, output: Output): string {
  const { time, type, outcome, severity, gate, reason, principal, credential, http, latencyMs, attributes } = event
  const style = severity === 'critical' ? 'red' : (STYLES[outcome] ?? 'dim')
  const status = http?.status === undefined ? '' : ` ${http.status}`
  const parts = [
    output.style('dim', safeString(time)),
    output.style(style, safeString(type)),
    gate && safeString(gate),
    reason && output.style(style, safeString(reason)),
    principal && safeString(principal.id),
    credential?.id && `[${safeString(credential.id)}]`,
    http && safeString(`${http.method} ${http.route}${status}`),
    http?.clientAddress && safeString(http.clientAddress),
    latencyMs === undefined ? undefined : safeString(`${latencyMs} ms`),
    ...Object.entries(attributes ?? {}).map(([name, value]) => safeString(`${name}=${String(value)}`)),
  ]
  return parts.filter(Boolean).join('  ')
}
