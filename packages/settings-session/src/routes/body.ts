import { parse as parseQuery } from 'node:querystring'
import type { AuditAttributes } from '@countersign/core/gate-kit'
import type { Request } from 'express'
import { mediaTypeOf } from '../csrf.js'
import { tellOfBody } from '../mount.js'

/** How the body of a route is written. */
export interface BodyFormat {
  readonly type: string
  readonly maxBytes: number
  /** Throws for a text that is not in this format. */
  readonly parse: (text: string) => unknown
}

const MAX_FIELDS = 20

/** A form. A field that is sent twice becomes a list, as with Express's own parser. */
export const FORM: BodyFormat = {
  type: 'application/x-www-form-urlencoded',
  maxBytes: 4096,
  parse: (text) => {
    if (text.split('&', MAX_FIELDS + 1).length > MAX_FIELDS) throw new Error('the form has too many fields')
    return parseQuery(text)
  },
}

/** The form of a provider: codes of several kilobytes are in use. */
export const ANSWER_FORM: BodyFormat = { ...FORM, maxBytes: 16_384 }

/** A JSON document. */
export const JSON_BODY: BodyFormat = { type: 'application/json', maxBytes: 16_384, parse: (text) => JSON.parse(text) }

/**
 * Sets `request.body`, unless a parser of the app has read the body or it is of another type. Returns what an event says
 * when it cannot be read: too long, compressed, garbled, or cut off.
 */
export async function parseBody(
  request: Request,
  { type, maxBytes, parse }: BodyFormat,
): Promise<AuditAttributes | undefined> {
  if (mediaTypeOf(request) !== type) return undefined
  if (request.readableDidRead && !isParsed(request.body)) tellOfBody('settings.routes()', type)
  if (request.readableDidRead || request.readableEnded) return undefined
  const text = await readText(request, maxBytes)
  if (text === TOO_LONG) return { part: 'body', limit_bytes: maxBytes }
  if (text === undefined) return UNREADABLE
  try {
    request.body = parse(text)
    return undefined
  } catch {
    return UNREADABLE
  }
}

/** Some parsers leave the bytes or the text. */
function isParsed(body: unknown): boolean {
  return typeof body === 'object' && body !== null && !(body instanceof Uint8Array)
}

const UNREADABLE: AuditAttributes = { part: 'body' }
const TOO_LONG = Symbol('too long')

function readText(request: Request, maxBytes: number): Promise<string | typeof TOO_LONG | undefined> {
  const { 'content-encoding': encoding = 'identity' } = request.headers
  if (request.destroyed || encoding !== 'identity') return Promise.resolve(undefined)
  return new Promise((resolve) => {
    const chunks: Buffer[] = []
    let bytes = 0
    request.on('data', (chunk: Buffer) => {
      bytes += chunk.length
      // The rest is read and dropped: the client gets its answer, and the connection stays usable.
      if (bytes > maxBytes) resolve(TOO_LONG)
      else chunks.push(chunk)
    })
    request.on('end', () => resolve(Buffer.concat(chunks).toString()))
    for (const event of ['error', 'close']) request.on(event, () => resolve(undefined))
  })
}
