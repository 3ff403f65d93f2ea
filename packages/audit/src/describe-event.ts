import type { AuditEvent } from '@countersign/core'

/** An event in one line: its type, and the gate and reason where it has them. */
export function describeEvent({ type, gate, reason }: AuditEvent): string {
  return [type, gate, reason].filter((part) => part !== undefined).join(' ')
}
