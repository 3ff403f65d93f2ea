import type { IncomingMessage } from 'node:http'
import { fieldLines } from '@countersign/core'

/** Whether the message's framing says that a body follows (RFC 9112 §6.3). */
export function hasBody(request: IncomingMessage): boolean {
  const [length = '0'] = fieldLines(request, 'content-length')
  return length !== '0' || fieldLines(request, 'transfer-encoding').length > 0
}

/** The length that the message declares in bytes; undefined when it comes in chunks. */
export function declaredLength(request: IncomingMessage): number | undefined {
  const [length] = fieldLines(request, 'content-length')
  return length === undefined ? undefined : Number(length)
}
