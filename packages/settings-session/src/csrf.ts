import type { IncomingMessage } from 'node:http'
import { fieldLines, secretsEqual } from '@countersign/core/gate-kit'

const SAFE = new Set(['GET', 'HEAD', 'OPTIONS'])

/** RFC 9110 §9.2.1. TRACE is left out: nothing under a gate answers it. */
export function isSafeMethod(method: string): boolean {
  return SAFE.has(method)
}

/** Where a request comes from, as far as its headers tell: `'unsure'` needs a token. */
export type RequestSite = 'same_origin' | 'cross_site' | 'unsure'

/**
 * Judges by what no page can forge: `Sec-Fetch-Site` (W3C Fetch Metadata), else `Origin` against `origin`. A sibling
 * subdomain is another site here. A request that the person's browser made by itself (`none`), an opaque origin, or one
 * without either header is unsure.
 */
export function siteOf(request: IncomingMessage, origin: string): RequestSite {
  const sites = fieldLines(request, 'sec-fetch-site')
  const origins = fieldLines(request, 'origin')
  if (sites.length > 1 || origins.length > 1) return 'cross_site'
  const [site] = sites
  const [from] = origins
  const isForeign = from !== undefined && from !== 'null' && from !== origin
  if (isForeign) return 'cross_site'
  if (site === 'same-origin') return 'same_origin'
  if (site === 'cross-site' || site === 'same-site') return 'cross_site'
  if (site !== undefined) return 'unsure'
  return from === origin ? 'same_origin' : 'unsure'
}

/**
 * Whether the body is of the one kind of text that a form of any site may send and that looks like JSON to a careless
 * parser.
 */
export function isPlainText(request: IncomingMessage): boolean {
  return mediaTypeOf(request) === 'text/plain'
}

export function mediaTypeOf(request: IncomingMessage): string | undefined {
  return request.headers['content-type']?.split(';', 1)[0]?.trim().toLowerCase()
}

export const CSRF_HEADER = 'x-csrf-token'
export const CSRF_FIELD = '_csrf'

/** Whether the request carries the token: in the header field, or in a body that was parsed already. */
export function carriesToken(request: IncomingMessage & { body?: unknown }, token: string): boolean {
  const header = fieldLines(request, CSRF_HEADER)
  const field = (request.body as Partial<Record<string, unknown>> | undefined)?.[CSRF_FIELD]
  const given = header.length === 0 ? field : header.length === 1 ? header[0] : undefined
  return typeof given === 'string' && secretsEqual(given, token)
}
