import type { IncomingMessage } from 'node:http'
import { type Denied, denied, fieldLines, isToken68, splitAuthorization } from '@countersign/core/gate-kit'
import type { McpCredentialReason } from './reasons.js'
import { hasPrefix } from './token.js'

type Read = string | Denied<McpCredentialReason>

/** `${VAR}`, `$VAR`, `{env:VAR}`, `{{VAR}}`, `%VAR%`: what clients send when a variable is not set. */
const PLACEHOLDER = /^(?:bearer +)?(?:\$\{|\$[a-z_]|\{env:|\{\{|%[a-z_]\w*%)/i
const MAX_PLACEHOLDER_LENGTH = 256
/** The schemes that an event may name: any other text may be a secret. */
const KNOWN_SCHEMES: readonly string[] = ['basic', 'digest', 'dpop', 'hmac', 'negotiate', 'signature']

/**
 * The token that a request presents in its one `Authorization` field, `Bearer` in any case (RFC 6750 §2.1). Undefined
 * or `missing` when nothing is presented that could be meant for this gate: no field, another scheme (RFC 6750 §3.1), or
 * a well-formed token without the prefix. What has the prefix is a token, however malformed the rest is.
 */
export function readToken(request: IncomingMessage, prefix: string): Read | undefined {
  const authorization = splitAuthorization(request, Number.POSITIVE_INFINITY)
  if (authorization.kind === 'none') return undefined
  if (authorization.kind === 'duplicated') return denied('ambiguous')
  const { kind, scheme } = authorization
  if (kind === 'unchecked' && scheme === 'bearer') {
    const { text } = authorization
    if (hasPrefix(prefix, text)) return text
    if (isToken68(text)) return missing({ scheme, expected_prefix: prefix })
  }
  const [value = ''] = fieldLines(request, 'authorization')
  if (scheme === 'bearer' || scheme === '' || isPlaceholder(value) || hasPrefix(prefix, value)) {
    if (isPlaceholder(value) || value.toLowerCase() === 'bearer') return denied('placeholder')
    return malformed(scheme === 'bearer' ? 'token' : 'scheme')
  }
  return missing({ scheme: KNOWN_SCHEMES.includes(scheme) ? scheme : 'other' })
}

/** Whether an `Authorization` field of the request has a token with the prefix, well-formed or not. */
export function hasOwnToken(request: IncomingMessage, prefix: string): boolean {
  return fieldLines(request, 'authorization').some((value) => hasPrefix(prefix, value.replace(/^bearer +/i, '')))
}

/** Whether an `Authorization` field of the request holds a token of ours in any form, so that it must not be passed on. */
export function holdsOwnToken(request: IncomingMessage, prefix: string): boolean {
  const isStart = (character: string | undefined) => character === undefined || !/[0-9A-Za-z_]/.test(character)
  return fieldLines(request, 'authorization').some((value) => {
    for (let at = value.indexOf(`${prefix}_`); at !== -1; at = value.indexOf(`${prefix}_`, at + 1)) {
      if (isStart(value[at - 1])) return true
    }
    return false
  })
}

/** Reads a token that came without its request. */
export function readLoneToken(token: string, prefix: string): Read {
  return hasPrefix(prefix, token) ? token : malformed('prefix')
}

function malformed(part: 'scheme' | 'token' | 'prefix'): Denied<McpCredentialReason> {
  return denied('malformed', { detail: { attributes: { part } } })
}

function missing(attributes: Readonly<Record<string, string>>): Denied<McpCredentialReason> {
  return denied('missing', { detail: { attributes } })
}

function isPlaceholder(value: string): boolean {
  return value.length <= MAX_PLACEHOLDER_LENGTH && PLACEHOLDER.test(value)
}
