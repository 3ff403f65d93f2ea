import { hash } from 'node:crypto'
import { denied, fieldLines, splitAuthorization, type Denied } from '@countersign/core/gate-kit'
import type { Request } from 'express'
import type { Presented } from './issuers/issuer.js'
import type { OAuthBearerReason } from './reasons.js'

const MISSING: Denied<OAuthBearerReason> = Object.freeze(denied('missing'))
const AMBIGUOUS: Denied<OAuthBearerReason> = Object.freeze(denied('ambiguous'))
export const MALFORMED: Denied<OAuthBearerReason> = Object.freeze(denied('malformed'))
const UNSUPPORTED: Denied<OAuthBearerReason> = Object.freeze(denied('unsupported_scheme'))

/** Whether a request carries a token, in its place or out of it. */
export function presentsToken(request: Request): boolean {
  return fieldLines(request, 'authorization').length > 0 || isTokenElsewhere(request)
}

/**
 * The one access token of a request, in its one place. More than one, or one in the query or a form, is refused whatever
 * it is worth (RFC 6750 §2, RFC 9700 §4.3.2); so is what does not parse. Whether the token is a token68 is seen when it is
 * verified.
 */
export function readCredential(
  request: Request,
  schemes: readonly string[],
  maxTokenBytes: number,
): Presented | Denied<OAuthBearerReason> {
  if (isTokenElsewhere(request)) return AMBIGUOUS
  const parsed = splitAuthorization(request, maxTokenBytes)
  if (parsed.kind === 'none') return MISSING
  if (parsed.kind === 'duplicated') return AMBIGUOUS
  if (!schemes.includes(parsed.scheme)) return parsed.scheme === '' ? MALFORMED : UNSUPPORTED
  return parsed.kind === 'malformed' ? MALFORMED : present(parsed.scheme, parsed.text, request)
}

/** A token with what caches know it by. */
export function present(scheme: string, token: string, request?: Request): Presented {
  const digest = hash('sha256', token, 'base64')
  return { scheme, token, request, digest: scheme === 'bearer' ? digest : `${scheme}:${digest}` }
}

/** Whether there is an `access_token` in the query, or in a form that was parsed before. */
function isTokenElsewhere(request: Request): boolean {
  const { originalUrl } = request
  const start = originalUrl.indexOf('?')
  if (start !== -1) {
    const query = originalUrl.slice(start + 1)
    // An escape could spell the name another way.
    const isSuspect = query.includes('access_token') || query.includes('%')
    if (isSuspect && new URLSearchParams(query).has('access_token')) return true
  }
  const { body } = request as { body?: unknown }
  if (body === null || typeof body !== 'object' || !Object.hasOwn(body, 'access_token')) return false
  return /^application\/x-www-form-urlencoded\b/i.test(request.headers['content-type'] ?? '')
}
