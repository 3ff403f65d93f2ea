import type { AuditEvent } from '@countersign/audit'
import { safeString } from '@countersign/core/gate-kit'
import type { Output } from '../output.js'

/** An event as the file holds it; undefined for a line that is none. */
export function parseEvent(line: string): AuditEvent | undefined {
  try {
    const value = JSON.parse(line) as Partial<AuditEvent> | null
    return typeof value?.type === 'string' && typeof value.time === 'string' ? (value as AuditEvent) : undefined
  } catch {
    return undefined
  }
}

const STYLES = { success: 'green', failure: 'yellow', error: 'red' } as const

/** One event for people: when, what, who, why, where. */
export function formatEvent(event: AuditEvent, output: Output): string {
  const { time, type, outcome, severity, gate, reason, principal, credential, http, latencyMs, attributes } = event
  const style = severity === 'critical' ? 'red' : (STYLES[outcome] ?? 'dim')
  const parts = [
    output.style('dim', time),
    output.style(style, type),
    gate,
    reason === undefined ? undefined : output.style(style, reason),
    principal?.id,
    credential?.id === undefined ? undefined : `[${credential.id}]`,
    http === undefined
      ? undefined
      : `${http.method} ${http.route}${http.status === undefined ? '' : ` ${http.status}`}`,
    http?.clientAddress,
    latencyMs === undefined ? undefined : `${latencyMs} ms`,
    ...Object.entries(attributes ?? {}).map(([name, value]) => `${name}=${String(value)}`),
  ]
  // The colours are ours; what stands between them was made safe when the event was made, or is made so here.
  return parts.flatMap((part) => (part === undefined ? [] : [clean(part)])).join('  ')
}

function clean(part: string): string {
  return part
    .split(/(\u001b\[\d{1,2}m)/)
    .map((piece) => (/^\u001b\[\d{1,2}m$/.test(piece) ? piece : safeString(piece)))
    .join('')
}
