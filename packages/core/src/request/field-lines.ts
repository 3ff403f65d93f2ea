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
    const raw = rawHeaders[index] as string
    if (raw.length !== name.length || raw.toLowerCase() !== name) continue
    const value = String(rawHeaders[index + 1])
    if (lines === undefined) lines = [value]
    else lines.push(value)
  }
  return lines ?? NONE
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
export function assertLinesCame(request: IncomingMessage, names: readonly string[]): void {
  if (request.rawHeaders.length === 0) return
  const { headers } = request as HeaderFields
  for (const name of names) {
    const value = valueIn(headers, name)
    if (value === undefined) continue
    const lines = fieldLines(request, name)
    if (lines.length > 1 || (lines.length === 1 && String(value) === lines[0])) continue
    throw new CodedTypeError(
      'ERR_COUNTERSIGN_HEADER_REWRITTEN',
      `req.headers has another "${name}" than the request came with. A gate reads the lines in req.rawHeaders: remove the middleware that sets this field, or let it change both.`,
    )
  }
}
