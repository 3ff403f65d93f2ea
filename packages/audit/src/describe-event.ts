import type { AuditEvent } from '@countersign/core'

/** An event in one line: its type, and the gate and reason where it has them. */
export function describeEvent({ type, gate, reason }: AuditEvent): string {
  return [type, gate, reason].filter((part) => part !== undefined).join(' ')
}

/** What the attributes of an event say, in one text; undefined where it has none. */
export function describeAttributes({ attributes = {} }: AuditEvent): string | undefined {
  const pairs = Object.entries(attributes).map(([name, value]) => `${name}=${value}`)
  return pairs.length === 0 ? undefined : pairs.join(', ')
}
