import { type Denied, denied } from '@countersign/core/gate-kit'
import type { Request } from 'express'
import { cookieValues } from './cookies.js'
import type { SettingsSessionReason } from './reasons.js'
import { parseToken, TOKEN_ANYWHERE, type Token } from './tokens.js'

/** The token of the session that a request's cookie presents. A link or another token in the query is refused. */
export function readSession(request: Request, cookieName: string): Token | Denied<SettingsSessionReason> | undefined {
  if (hasTokenInQuery(request.originalUrl)) return denied('link_in_wrong_place')
  const values = cookieValues(request, cookieName)
  if (values.length === 0) return undefined
  // Of two cookies of the name, a neighbour may have set one: neither counts.
  if (values.length > 1) return malformed('cookie')
  return parseToken('s', values[0]) ?? malformed('token')
}

/** `cookie`: there is more than one. */
function malformed(part: 'cookie' | 'token'): Denied<SettingsSessionReason> {
  return denied('malformed', { detail: { attributes: { part } } })
}

/** A token in a URL is in logs already: nothing behind the gate accepts it. */
function hasTokenInQuery(url: string): boolean {
  const query = url.indexOf('?')
  return query !== -1 && TOKEN_ANYWHERE.test(url.slice(query))
}
