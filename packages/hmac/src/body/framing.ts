import type { IncomingMessage } from 'node:http'
import { fieldLines } from '@countersign/core/gate-kit'

/** Whether the message's framing says that a body follows (RFC 9112 §6.3). */
export function hasBody(request: IncomingMessage): boolean {
  const [length = '0'] = fieldLines(request, 'content-length')
  return length !== '0' || fieldLines(request, 'transfer-encoding').length > 0
}

/** The length that the message declares in bytes; undefined when it comes in chunks, whatever it declares beside that. */
export function declaredLength(request: IncomingMessage): number | undefined {
  if (fieldLines(request, 'transfer-encoding').length > 0) return undefined
  const [length] = fieldLines(request, 'content-length')
  return length === undefined ? undefined : Number(length)
}

/** Lines that Node keeps of a request when the server does not say. */
const DEFAULT_MAX_LINES = 1000

/**
 * Whether Node may have left out header lines, as it does in silence beyond `maxHeadersCount`: a `Content-Length` among
 * them frames a body that is not seen to be declared.
 */
export function mayLackLines({ rawHeaders, socket }: IncomingMessage): boolean {
  const { server } = socket as { server?: { maxHeadersCount?: number | null } }
  const most = server?.maxHeadersCount ?? DEFAULT_MAX_LINES
  return most > 0 && rawHeaders.length >= 2 * most
}
