import type { IncomingMessage } from 'node:http'
import { fieldLines } from './field-lines.js'

/**
 * Whether this is the message that Node's HTTP/1 parser is working on: then the framing fields say where its body ends. Of
 * an HTTP/2 stream, and of a request that an adapter built, they say nothing.
 */
export function isFramed(request: IncomingMessage): boolean {
  const { socket } = request as { socket?: { parser?: { incoming?: unknown } | null } | null }
  return socket?.parser?.incoming === request
}

/** The HTTP/2 stream of a request of Node's compatibility API. */
export interface StreamOfRequest {
  readonly readableEnded: boolean
  readonly destroyed: boolean
  close(code: number): void
}

/** Undefined for a request of HTTP/1. */
export function http2StreamOf(request: IncomingMessage): StreamOfRequest | undefined {
  const { httpVersionMajor, stream } = request as { httpVersionMajor?: unknown; stream?: StreamOfRequest }
  return httpVersionMajor === 2 && typeof stream?.readableEnded === 'boolean' ? stream : undefined
}

/** Whether the framing fields say that a body follows (RFC 9112 §6.3). They count only where {@link isFramed} is true. */
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
  const { server } = (socket ?? {}) as { server?: { maxHeadersCount?: number | null } }
  const most = server?.maxHeadersCount ?? DEFAULT_MAX_LINES
  return most > 0 && rawHeaders.length >= 2 * most
}
