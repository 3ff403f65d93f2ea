import { type AuditAttributes, type Denied, denied, fieldLines, splitAuthorization } from '@countersign/core/gate-kit'
import type { Request } from 'express'
import type { OAuthBearerReason } from './reasons.js'

/** The token of a request. Whether it is a token68 is checked only if it is not in the cache. */
export interface PresentedToken {
  /** The authentication scheme, in lower case. */
  readonly scheme: string
  readonly token: string
}

const MISSING: Denied<OAuthBearerReason> = Object.freeze(denied('missing'))
const DUPLICATED = wrongRequest('ambiguous', 'There is more than one Authorization header field')
const ELSEWHERE = wrongRequest(
  'ambiguous',
  'An access token belongs in the Authorization header field, not in the query or in a form',
)
/** What is there is no scheme: an unexpanded variable, or text that cannot be one. */
const MALFORMED_SCHEME = wrongRequest('malformed', 'The Authorization header field has no authentication scheme', {
  part: 'scheme',
})
/** The refusal of a token that is not a token68. */
export const MALFORMED_TOKEN: Denied<OAuthBearerReason> = wrongRequest(
  'malformed',
  'One access token is expected after the scheme, without spaces and quotes',
  { part: 'token' },
)

function tooLong(limitBytes: number): Denied<OAuthBearerReason> {
  const attributes = { part: 'token', limit_bytes: limitBytes }
  return wrongRequest('malformed', `The access token is longer than ${limitBytes} bytes`, attributes)
}

/** A refusal that tells the client what to correct. */
function wrongRequest(
  reason: 'ambiguous' | 'malformed',
  sentence: string,
  attributes?: AuditAttributes,
): Denied<OAuthBearerReason> {
  const said = { error_description: sentence }
  return Object.freeze(denied(reason, { detail: { attributes }, members: said, parameters: said }))
}

/**
 * Reads the one access token of a request from its one place. More than one token, or one in the query or in a form, is
 * refused without looking at it (RFC 6750 §2, RFC 9700 §4.3.2). `schemes` are those of this gate: a credential of another
 * scheme is not meant for it.
 */
export function readToken(
  request: Request,
  schemes: readonly string[],
  maxTokenBytes: number,
): PresentedToken | Denied<OAuthBearerReason> {
  if (isTokenElsewhere(request)) return ELSEWHERE
  const split = splitAuthorization(request, maxTokenBytes)
  if (split.kind === 'none') return MISSING
  if (split.kind === 'duplicated') return DUPLICATED
  const { scheme } = split
  if (schemes.includes(scheme)) {
    if (split.kind === 'unchecked') return { scheme, token: split.text }
    const [value = ''] = fieldLines(request, 'authorization')
    return value.length > maxTokenBytes ? tooLong(maxTokenBytes) : MALFORMED_TOKEN
  }
  if (scheme === '' || UNEXPANDED.test(scheme)) return MALFORMED_SCHEME
  // A field of one word may be a token without a scheme: only what precedes a credential is safe to write down.
  return split.kind === 'unchecked' ? otherScheme(scheme) : MISSING
}

/** As {@link readToken}, of a bearer token that was handed over without its request. */
export function readBareToken(token: string, maxTokenBytes: number): PresentedToken | Denied<OAuthBearerReason> {
  if (token === '') return MALFORMED_TOKEN
  return token.length > maxTokenBytes ? tooLong(maxTokenBytes) : { scheme: 'bearer', token }
}

/** `$VAR`, `%VAR%`: what a client sends if a variable is not set. The forms with braces are no scheme at all. */
const UNEXPANDED = /^(?:\$[a-z_]|%[a-z_]\w*%)/
const SCHEME_NAME = /^[a-z][a-z0-9._-]{0,31}$/

function otherScheme(scheme: string): Denied<OAuthBearerReason> {
  return SCHEME_NAME.test(scheme) ? denied('missing', { detail: { attributes: { scheme } } }) : MISSING
}

/** Whether there is an `access_token` in the query, or in a form that was parsed before. */
function isTokenElsewhere(request: Request): boolean {
  const { originalUrl } = request
  const start = originalUrl.indexOf('?')
  if (start !== -1) {
    const query = originalUrl.slice(start + 1)
    // Percent-encoding could hide the name.
    const isSuspect = query.includes('access_token') || query.includes('%')
    if (isSuspect && new URLSearchParams(query).has('access_token')) return true
  }
  const { body } = request as { body?: unknown }
  if (body === null || typeof body !== 'object' || !Object.hasOwn(body, 'access_token')) return false
  return fieldLines(request, 'content-type').some((type) => /^application\/x-www-form-urlencoded\b/i.test(type))
}
