import type { IncomingMessage } from 'node:http'

/** Whether the message's framing says that a body follows (RFC 9112 §6.3). */
export function hasBody(request: IncomingMessage): boolean {
  const { 'transfer-encoding': coding, 'content-length': length } = request.headers
  return coding !== undefined || (length !== undefined && length !== '0')
}
