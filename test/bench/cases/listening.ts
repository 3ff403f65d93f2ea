import { type Audit, createAudit } from '@countersign/core'

/** An emitter with one sink that takes every event, as in production; what it keeps is the last one. */
export function listeningAudit(): Audit {
  const kept: unknown[] = []
  return createAudit({
    sinks: [
      (event) => {
        kept[0] = event
      },
    ],
  })
}
