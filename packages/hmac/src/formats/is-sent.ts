import { fieldLines } from '@countersign/core/gate-kit'
import type { Request } from 'express'

/** Whether a request carries any of these header fields, an empty one included; names in lower case. */
export function isSent(request: Request, names: readonly string[]): boolean {
  return names.some((name) => fieldLines(request, name).length > 0)
}
