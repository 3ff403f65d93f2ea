import { EVENTS } from '../cases/audit.js'
import { auditCase } from '../cases/index.js'
import type { Row, Section } from '../row.js'
import { measureInProcess } from './in-process.js'

/** From µs a request, which emits many, to events. */
function perEvent(row: Row): Row {
  const micros = (row.figures.inOneTick ?? Number.NaN) / EVENTS
  return { ...row, figures: { micros, perSecond: 1_000_000 / micros } }
}

export const audit: Section = {
  id: 'audit',
  title: 'Audit events',
  about: `Events that one second of CPU emits, each with a principal, a credential and what is known of the request, to sinks that keep
the last one. Without a sink no event is made.`,
  columns: [
    { key: 'micros', title: 'µs an event' },
    { key: 'perSecond', title: 'events per second' },
  ],
  async *measure(options) {
    for await (const rows of measureInProcess([auditCase], options)) yield rows.map(perEvent)
  },
}
