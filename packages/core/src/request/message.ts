import type { IncomingMessage } from 'node:http'
import { CodedTypeError } from '../errors.js'

/** What header fields are read from. An adapter of serverless platforms may fill one of the two alone. */
export interface HeaderFields {
  readonly rawHeaders: readonly unknown[]
  readonly headers?: Readonly<Record<string, unknown>> | undefined
}

const NONE: readonly string[] = Object.freeze([])

/** Fields whose values may hold a comma. In any other, a comma means that an adapter has joined two lines. */
const WITH_COMMAS: ReadonlySet<string> = new Set(['cookie', 'signature', 'signature-input', 'user-agent'])

/**
 * The values of a header field, one for each line of it, as they came and in order; `name` in lower case. Node's `headers`
 * silently keeps the first of two, and its `headersDistinct`, which has both, is computed for all fields of a request at
 * once: that costs more than the rest of a decision.
 *
 * Where an adapter leaves `rawHeaders` empty, the lines are those of `headers`: of a list its members, of a text that an
 * adapter has joined its parts.
 */
export function fieldLines(request: HeaderFields, name: string): readonly string[] {
  const { rawHeaders } = request
  if (rawHeaders.length === 0) return linesInHeaders(request, name)
  let lines: string[] | undefined
  for (let index = 0; index < rawHeaders.length; index += 2) {
    if (!isNamed(rawHeaders[index] as string, name)) continue
    const value = String(rawHeaders[index + 1])
    if (lines === undefined) lines = [value]
    else lines.push(value)
  }
  return lines ?? NONE
}

function isNamed(raw: string, name: string): boolean {
  return raw === name || (raw.length === name.length && raw.toLowerCase() === name)
}

/** Two lines that were joined have a comma between them (RFC 9110 §5.3). */
function linesInHeaders({ headers }: HeaderFields, name: string): readonly string[] {
  const value = valueIn(headers, name)
  if (value === undefined || value === null) return NONE
  if (Array.isArray(value)) return value.map(String)
  const text = String(value)
  if (WITH_COMMAS.has(name) || !text.includes(',')) return [text]
  return text.split(',').map((part) => part.trim())
}

/** An own property alone: a polluted prototype must not make a header field. */
function valueIn(headers: HeaderFields['headers'], name: string): unknown {
  return headers !== undefined && Object.hasOwn(headers, name) ? headers[name] : undefined
}

/** The lines of each of these fields, commas left as they are; one pass over all finds them. */
export function linesOfFields(
  { rawHeaders, headers }: HeaderFields,
  names: readonly string[],
): ReadonlyMap<string, readonly string[]> {
  const lines = new Map<string, string[]>(names.map((name) => [name, []]))
  for (let index = 0; index < rawHeaders.length; index += 2) {
    lines.get((rawHeaders[index] as string).toLowerCase())?.push(String(rawHeaders[index + 1]))
  }
  if (rawHeaders.length > 0) return lines
  for (const [name, list] of lines) {
    const value = valueIn(headers, name)
    if (Array.isArray(value)) list.push(...value.map(String))
    else if (value !== undefined && value !== null) list.push(String(value))
  }
  return lines
}

/**
 * Refuses to read credentials where something has put them into `headers` alone: a gate reads the lines that came, so it
 * would see none, or another one than the handler does.
 *
 * @throws {TypeError} with code `ERR_COUNTERSIGN_HEADER_REWRITTEN`.
 */
export function assertLinesCame({ rawHeaders, headers }: HeaderFields, names: readonly string[]): void {
  if (rawHeaders.length === 0) return
  for (const name of names) {
    if (isAsItCame(rawHeaders, name, valueIn(headers, name))) continue
    throw new CodedTypeError(
      'ERR_COUNTERSIGN_HEADER_REWRITTEN',
      `req.headers has another "${name}" than the request came with. A gate reads the lines in req.rawHeaders: remove the middleware that sets this field, or let it change both.`,
    )
  }
}

/** Of several lines, a gate refuses or joins what came; `headers` has one of them or all. */
function isAsItCame(rawHeaders: readonly unknown[], name: string, value: unknown): boolean {
  if (value === undefined) return true
  let count = 0
  let isSame = false
  for (let index = 0; index < rawHeaders.length; index += 2) {
    if (!isNamed(rawHeaders[index] as string, name)) continue
    count += 1
    isSame = rawHeaders[index + 1] === value || String(rawHeaders[index + 1]) === String(value)
  }
  return count > 1 || isSame
}

/**
 * Whether this is the message that Node's HTTP/1 parser is working on: then the framing fields say where its body ends. Of
 * an HTTP/2 stream, and of a request that an adapter built, they say nothing.
 */
export function isFramed(request: IncomingMessage): boolean {
  const { socket } = request as { socket?: { parser?: { incoming?: unknown } | null } | null }
  return socket?.parser?.incoming === request
}

/** What an answer is written to. */
export interface Answering {
  readonly writableFinished: boolean
  once(event: 'finish', listener: () => void): unknown
}

/** The HTTP/2 stream of a request of Node's compatibility API. */
export interface StreamOfRequest extends Answering {
  readonly readableEnded: boolean
  /** It was reset, or its connection was cut, before it was answered. Then it ends, too, wherever its body stopped. */
  readonly aborted: boolean
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

/** On a request: it is an upgrade that a gate decides on. */
const UPGRADE = Symbol.for('countersign.upgrade/1')

/** Whether a gate decides on this request as an upgrade: there is no response, and no body. */
export function isUpgrade(request: IncomingMessage): boolean {
  return (request as { [UPGRADE]?: object })[UPGRADE] === request
}

/** Says of a request that {@link isUpgrade}. */
export function markUpgrade(request: IncomingMessage): void {
  Object.defineProperty(request, UPGRADE, { value: request, enumerable: false, configurable: true })
}
