import type { IncomingMessage, ServerResponse } from 'node:http'
import { fieldLines } from '@countersign/core/gate-kit'
import { parseToken, type Token, type TokenType } from './tokens.js'

/** The `SameSite` attribute of the session's cookie. */
export type SameSite = 'lax' | 'strict'

/** The attributes of a cookie that differ from one cookie to another. */
export interface CookieAttributes {
  readonly maxAgeSeconds: number
  /** Default `'lax'`. */
  readonly sameSite?: SameSite | undefined
}

// Spaces and tabs alone (RFC 6265 §5.2). `trim` also takes a byte A0, and a sibling host may set a cookie whose name is
// that byte and then ours: to its browser that name has no `__Host-` prefix.
// Character by character: a regular expression for the end takes quadratic time on a run of spaces that is not at the end.
function strip(text: string): string {
  let start = 0
  let end = text.length
  while (start < end && isBlank(text.charCodeAt(start))) start += 1
  while (end > start && isBlank(text.charCodeAt(end - 1))) end -= 1
  return text.slice(start, end)
}

function isBlank(code: number): boolean {
  return code === 0x20 || code === 0x09
}

/** Every value of a cookie on a request, in order. Browsers send one; two are an attack or a mistake. */
export function cookieValues(request: IncomingMessage, name: string): readonly string[] {
  const lines = fieldLines(request, 'cookie')
  const header = lines.length === 1 ? (lines[0] as string) : lines.join('; ')
  if (!header.includes(name)) return []
  const values: string[] = []
  for (const pair of header.split(';')) {
    const equals = pair.indexOf('=')
    if (equals !== -1 && strip(pair.slice(0, equals)) === name) values.push(strip(pair.slice(equals + 1)))
  }
  return values
}

/** The value of a cookie that is there exactly once. */
export function onlyCookie(request: IncomingMessage, name: string): string | undefined {
  const values = cookieValues(request, name)
  return values.length === 1 ? values[0] : undefined
}

/** The token in a cookie that is there exactly once. */
export function tokenInCookie(request: IncomingMessage, name: string, type: TokenType): Token | undefined {
  return parseToken(type, onlyCookie(request, name))
}

/** Adds a `Set-Cookie` to those that are there. */
export function setCookie(response: ServerResponse, name: string, value: string, attributes: CookieAttributes): void {
  const sameSite = attributes.sameSite === 'strict' ? 'Strict' : 'Lax'
  const maxAge = Math.max(0, Math.floor(attributes.maxAgeSeconds))
  response.appendHeader(
    'Set-Cookie',
    `${name}=${value}; Max-Age=${maxAge}; Path=/; HttpOnly; Secure; SameSite=${sameSite}`,
  )
}

/** Deletes a cookie in the browser. `Clear-Site-Data` would also sign the person out of the app next door. */
export function expireCookie(response: ServerResponse, name: string): void {
  setCookie(response, name, '', { maxAgeSeconds: 0 })
}
