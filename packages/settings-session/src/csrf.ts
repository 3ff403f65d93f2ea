import type { IncomingMessage } from 'node:http'
import { hasBody } from '@countersign/core/body'
import { fieldLines, isUpgrade, secretsEqual } from '@countersign/core/gate-kit'
import { tellOfBody } from './mount.js'
import { deriveSecret } from './tokens.js'

const CSRF_HEADER = 'x-csrf-token'
const CSRF_FIELD = '_csrf'

/** Where a request comes from, as far as its headers tell. `'unsure'` needs a token. */
export type RequestSite = 'same_origin' | 'cross_site' | 'unsure'

/**
 * Judges where a request comes from by what no page can forge: `Sec-Fetch-Site` (W3C Fetch Metadata), else `Origin`
 * against `origin`. A sibling subdomain is another site here. A request that the browser made by itself (`none`), an
 * opaque origin, and a request without either header are unsure.
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
 * Whether an unsafe request may act on a session: it comes from our own origin, or it carries the session's CSRF token
 * where its headers do not tell. Without a session only the first counts.
 */
export function isOwnRequest(request: IncomingMessage, origin: string, sessionToken: string | undefined): boolean {
  const site = siteOf(request, origin)
  if (site !== 'unsure') return site === 'same_origin'
  return sessionToken !== undefined && carriesToken(request, csrfTokenOf(sessionToken))
}

/**
 * Whether a request opens a connection that outlives it, by an upgrade or through a library that runs Express's routes on
 * upgrades to WebSocket. It is a `GET` that any site can make with the session's cookie (RFC 6455 §10.2).
 */
export function opensConnection(request: IncomingMessage): boolean {
  return isUpgrade(request) || fieldLines(request, 'upgrade').some((value) => /\bwebsocket\b/i.test(value))
}

/** Whether the request says by its `Origin`, which every browser sends with an upgrade, that it is of our own pages. */
export function isOwnUpgrade(request: IncomingMessage, origin: string): boolean {
  return fieldLines(request, 'origin')[0] === origin && siteOf(request, origin) === 'same_origin'
}

/** The token that an unsafe request of a session carries where its headers do not say where it comes from. */
export function csrfTokenOf(sessionToken: string): string {
  return deriveSecret(sessionToken, 'csrf')
}

/** Whether a body follows: the framing fields say so, or the frames of HTTP/2. */
export function carriesBody(request: IncomingMessage & { stream?: { readonly endAfterHeaders?: unknown } }): boolean {
  return hasBody(request) || request.stream?.endAfterHeaders === false
}

/** Whether the body is `text/plain`: a form of any site can send that, and to a careless parser it looks like JSON. */
export function isPlainText(request: IncomingMessage): boolean {
  return mediaTypeOf(request) === 'text/plain'
}

/** Whether the body is declared as JSON. */
export function isJson(request: IncomingMessage): boolean {
  return mediaTypeOf(request) === 'application/json'
}

/** The media type of the body, without parameters, in lower case. Of two lines none: parsers take either. */
export function mediaTypeOf(request: IncomingMessage): string | undefined {
  const lines = fieldLines(request, 'content-type')
  return lines.length === 0 ? undefined : lines.join(',').split(';', 1)[0]?.trim().toLowerCase()
}

/** Whether the request carries the token: in the header field, or in a body that was parsed already. */
export function carriesToken(request: IncomingMessage & { body?: unknown }, token: string): boolean {
  const header = fieldLines(request, CSRF_HEADER)
  const type = mediaTypeOf(request)
  if (
    header.length === 0 &&
    request.body === undefined &&
    (type === 'application/x-www-form-urlencoded' || type === 'application/json')
  ) {
    tellOfBody('requireSettingsSession', type)
  }
  const field = (request.body as Partial<Record<string, unknown>> | undefined)?.[CSRF_FIELD]
  const given = header.length === 0 ? field : header.length === 1 ? header[0] : undefined
  return typeof given === 'string' && secretsEqual(given, token)
}
