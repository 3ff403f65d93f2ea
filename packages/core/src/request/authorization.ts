import type { IncomingMessage } from 'node:http'
import { fieldLines } from './message.js'

/** What a request's `Authorization` header field holds. */
export type Authorization =
  | { readonly kind: 'none' }
  /** More than one field: Node would silently keep the first. */
  | { readonly kind: 'duplicated' }
  /** Not `scheme 1*SP token68` (RFC 9110 §11.4), or longer than allowed. */
  | { readonly kind: 'malformed'; readonly scheme: string }
  | { readonly kind: 'credentials'; readonly scheme: string; readonly token: string }

const NONE = Object.freeze({ kind: 'none' } as const)
const DUPLICATED = Object.freeze({ kind: 'duplicated' } as const)
// Both are linear: one character class, then one other, with nothing to backtrack to.
const SCHEME = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,64}$/
const TOKEN68 = /^[A-Za-z0-9\-._~+/]+=*$/

/** Whether a text is a token68 (RFC 9110 §11.2): what a credential may be written with. */
export function isToken68(text: string): boolean {
  return TOKEN68.test(text)
}

/**
 * Parses `Authorization` strictly: one field, one scheme (returned in lower case), one token68. `maxTokenBytes` is
 * checked before anything looks at the token.
 *
 * Source: RFC 9110 §11.4 and §11.6.2, RFC 6750 §2.1.
 */
export function parseAuthorization(request: IncomingMessage, maxTokenBytes?: number): Authorization {
  const split = splitAuthorization(request, maxTokenBytes)
  if (split.kind !== 'unchecked') return split
  const { scheme, text } = split
  return isToken68(text) ? { kind: 'credentials', scheme, token: text } : { kind: 'malformed', scheme }
}

/** As {@link Authorization}, with the unchecked text after the scheme. */
export type SplitAuthorization =
  | Exclude<Authorization, { readonly kind: 'credentials' }>
  | { readonly kind: 'unchecked'; readonly scheme: string; readonly text: string }

/**
 * As {@link parseAuthorization}, but the caller checks that what follows the scheme is a token68: a caller that has the
 * token in a cache need not look at each of its characters.
 */
export function splitAuthorization(request: IncomingMessage, maxTokenBytes = 8192): SplitAuthorization {
  const values = fieldLines(request, 'authorization')
  if (values.length === 0) return NONE
  if (values.length > 1) return DUPLICATED
  const value = values[0] as string
  const space = value.indexOf(' ')
  const name = space === -1 ? value : value.slice(0, space)
  if (!SCHEME.test(name)) return { kind: 'malformed', scheme: '' }
  const scheme = name.toLowerCase()
  let start = name.length
  while (value.charCodeAt(start) === 0x20) start += 1
  if (start === value.length || value.length - start > maxTokenBytes) return { kind: 'malformed', scheme }
  return { kind: 'unchecked', scheme, text: value.slice(start) }
}
