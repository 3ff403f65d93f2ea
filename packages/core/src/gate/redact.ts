import type { IncomingMessage } from 'node:http'
import { safeString } from '../audit/normalise.js'

/** What a message and a request have in common must be as long as this to be hidden. */
const SHARED = 8
/** Of a body so many bytes are looked at. */
const MAX_BODY = 65_536

// Long runs without a break: tokens, keys, digests. A name of a function this long has no digit in it.
const OPAQUE = /[\w+=~-]{32,}|(?=[\w+=~-]*\d)(?=[\w+=~-]*[A-Za-z])[\w+=~-]{20,31}|\d{6,}/g

/**
 * A text that the app or a library wrote, for a warning: cut, without control characters, and without what could be a
 * credential: whatever also stands in a header field, the query or the body of the request, decoded or not, and long
 * opaque runs.
 */
export function redact(text: string, request: IncomingMessage | undefined): string {
  const clean = safeString(text)
  return (request === undefined ? clean : hideShared(clean, sentBy(request))).replace(OPAQUE, '…')
}

function hideShared(text: string, sent: string): string {
  let result = ''
  let hidden = 0
  for (let at = 0; at < text.length; at += 1) {
    if (at + SHARED <= text.length && sent.includes(text.slice(at, at + SHARED))) {
      if (hidden <= at) result += '…'
      hidden = at + SHARED
    }
    if (at >= hidden) result += text[at]
  }
  return result
}

/** All values that a request brings. A name of a field, or a path, is no secret. */
function sentBy(request: IncomingMessage): string {
  const {
    rawHeaders,
    headers,
    url = '',
    body,
    rawBody,
  } = request as IncomingMessage & {
    readonly body?: unknown
    readonly rawBody?: unknown
  }
  const values =
    rawHeaders.length > 0 ? rawHeaders.filter((_, index) => index % 2 === 1) : Object.values(headers).flat()
  const query = /\?.*/s.exec(url)?.[0]
  const fields = values.map(String)
  const decoded = fields.flatMap((value) => [fromUtf8(value), fromBase64(value)])
  return withDecoded([...fields, ...decoded, query, textOf(rawBody), textOf(body)].join('\n'))
}

/** Node reads each byte of a header field as a character. */
function fromUtf8(value: string): string {
  return Buffer.from(value, 'latin1').toString()
}

/** Credentials of the scheme Basic, as the app sees them. */
function fromBase64(value: string): string {
  return Buffer.from(value.slice(value.lastIndexOf(' ') + 1), 'base64').toString()
}

/** A text as it came, and as the app sees it when it was in a query, a form or JSON. */
function withDecoded(sent: string): string {
  const unquoted = sent.replaceAll('+', ' ').replace(/(?:%[0-9a-f]{2})+/gi, bytesOf)
  const forms = `${sent}\n${unquoted}`
  return `${forms}\n${forms.replace(/\\(.)/g, '$1')}`
}

function bytesOf(encoded: string): string {
  return Buffer.from(encoded.replaceAll('%', ''), 'hex').toString()
}

/** Undefined for nothing, and for what no parser of JSON or forms makes. */
function textOf(body: unknown): string | undefined {
  if (body instanceof Uint8Array) return Buffer.from(body.subarray(0, MAX_BODY)).toString()
  try {
    return (typeof body === 'string' ? body : JSON.stringify(body))?.slice(0, MAX_BODY)
  } catch {
    return undefined
  }
}
