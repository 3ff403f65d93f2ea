import type { IncomingMessage, ServerResponse } from 'node:http'

export type SameSite = 'lax' | 'strict'

export interface CookieOptions {
  readonly maxAgeSeconds: number
  readonly sameSite?: SameSite
}

/** A name with the prefix that makes browsers insist on Secure, Path=/ and no Domain: a sibling host cannot set it. */
export function hostCookie(name: string): string {
  return `__Host-${name}`
}

// Spaces and tabs alone (RFC 6265 §5.2): `trim` also takes a byte A0, and a sibling host may set a cookie whose name is
// that byte and then ours, since to its browser the name has no `__Host-` prefix.
const strip = (text: string): string => text.replace(/^[ \t]+|[ \t]+$/g, '')

/** Every value of a cookie that the request carries, in its order. Browsers send one; two are an attack or a mistake. */
export function cookieValues(request: IncomingMessage, name: string): readonly string[] {
  const header = request.headers.cookie
  if (header === undefined || !header.includes(name)) return []
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

/** Adds a `Set-Cookie`, beside those that are there. */
export function setCookie(response: ServerResponse, name: string, value: string, options: CookieOptions): void {
  const sameSite = options.sameSite === 'strict' ? 'Strict' : 'Lax'
  const maxAge = Math.max(0, Math.floor(options.maxAgeSeconds))
  response.appendHeader(
    'Set-Cookie',
    `${name}=${value}; Max-Age=${maxAge}; Path=/; HttpOnly; Secure; SameSite=${sameSite}`,
  )
}

/** Takes a cookie back. `Clear-Site-Data` would sign the person out of the app next door as well. */
export function expireCookie(response: ServerResponse, name: string): void {
  setCookie(response, name, '', { maxAgeSeconds: 0 })
}
