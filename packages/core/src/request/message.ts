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
  return raw.length === name.length && (raw === name || raw.toLowerCase() === name)
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

/** What a request has of a header field: nothing, the value of its one line, or those of several lines in order. */
export type FieldValue = string | string[] | undefined

/** Of more names than this it costs less to make an index of them than to compare each with each line. */
const FEW = 16

/**
 * The values of several fields, in the order of `names`, of which none comes twice; commas are left as they are. One pass over
 * the lines finds them all.
 */
export function valuesOfFields({ rawHeaders, headers }: HeaderFields, names: readonly string[]): FieldValue[] {
  if (rawHeaders.length === 0) return names.map((name) => valueInHeaders(headers, name))
  const values: FieldValue[] = names.map(() => undefined)
  const index = names.length > FEW ? new Map(names.map((name, at) => [name, at])) : undefined
  for (let line = 0; line < rawHeaders.length; line += 2) {
    const raw = rawHeaders[line] as string
    const at = index === undefined ? placeOf(raw, names) : (index.get(raw.toLowerCase()) ?? -1)
    if (at !== -1) values[at] = withLine(values[at], String(rawHeaders[line + 1]))
  }
  return values
}

function placeOf(raw: string, names: readonly string[]): number {
  for (let at = 0; at < names.length; at += 1) if (isNamed(raw, names[at] as string)) return at
  return -1
}

/** In place: many lines of one field are no more work than as many of others. */
function withLine(value: FieldValue, line: string): FieldValue {
  if (value === undefined) return line
  if (typeof value === 'string') return [value, line]
  value.push(line)
  return value
}

function valueInHeaders(headers: HeaderFields['headers'], name: string): FieldValue {
  const value = valueIn(headers, name)
  if (value === undefined || value === null) return undefined
  if (!Array.isArray(value)) return String(value)
  const lines = value.map(String)
  return lines.length > 1 ? lines : lines[0]
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
      `"${name}" in req.headers differs from the received request. A gate reads the lines in req.rawHeaders: remove the middleware that sets this field, or make it change both.`,
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
    isSame = String(rawHeaders[index + 1]) === String(value)
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
  Object.defineProperty(request, UPGRADE, { value: request })
}
