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
 * credential, which is whatever also stands in a header field, the query or the body of the request, and long opaque runs.
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
  const query = url.includes('?') ? url.slice(url.indexOf('?')) : ''
  return [...values, query, textOf(rawBody), textOf(body)].join('\n')
}

function textOf(body: unknown): string {
  if (body === undefined || body === null) return ''
  if (body instanceof Uint8Array) return Buffer.from(body.subarray(0, MAX_BODY)).toString('latin1')
  try {
    return (typeof body === 'string' ? body : (JSON.stringify(body) ?? '')).slice(0, MAX_BODY)
  } catch {
    // Not of a parser of JSON or forms.
    return ''
  }
}
