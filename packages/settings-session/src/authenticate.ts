import { denied, granted, settle, type VerdictDetail, unavailable } from '@countersign/core/gate-kit'
import type { Request } from 'express'
import { cookieValues } from './cookies.js'
import { carriesToken, isPlainText, isSafeMethod, mediaTypeOf, siteOf } from './csrf.js'
import { csrfTokenOf, isWhole, pathTo, principalOfSession } from './engine.js'
import type { ResolvedGateOptions } from './gate-options.js'
import { principalId } from './principal.js'
import type { SettingsSessionVerdict } from './reasons.js'
import type { ReadResult } from './stores/store.js'
import { parseToken, TOKEN_ANYWHERE } from './tokens.js'

/**
 * Decides on the session that a request's cookie names: shape before anything is asked, where the request comes from,
 * then the store, once.
 */
export function authenticate(
  request: Request,
  options: ResolvedGateOptions,
): SettingsSessionVerdict | Promise<SettingsSessionVerdict> {
  const { engine, clock } = options
  if (hasLinkInQuery(request.originalUrl)) return denied('link_in_wrong_place')
  const values = cookieValues(request, engine.cookies.session)
  if (values.length === 0) return denied('missing')
  const token = values.length === 1 ? parseToken('s', values[0]) : undefined
  if (token === undefined) return denied('malformed')
  if (!isSafeMethod(request.method) && !isOwnRequest(request, options, token.text)) return denied('cross_site')
  const startedMs = clock.monotonic()
  const detail = (): VerdictDetail => ({ credential: { id: token.tag }, storeMs: clock.monotonic() - startedMs })
  return settle<ReadResult, SettingsSessionVerdict>(
    () => engine.options.store.read(token),
    (result) => decide(result, options, detail()),
    () => unavailable('session_store', { detail: detail() }),
  )
}

/** A link in a URL is in logs already: nothing behind the gate goes on with it. */
function hasLinkInQuery(url: string): boolean {
  const query = url.indexOf('?')
  return query !== -1 && TOKEN_ANYWHERE.test(url.slice(query))
}

function isOwnRequest(request: Request, { engine, json }: ResolvedGateOptions, token: string): boolean {
  const type = mediaTypeOf(request)
  if (isPlainText(request) || (json && type !== undefined && type !== 'application/json')) return false
  const site = siteOf(request, engine.origin)
  return site === 'same_origin' || (site === 'unsure' && carriesToken(request, csrfTokenOf(token)))
}

function decide(result: ReadResult, options: ResolvedGateOptions, detail: VerdictDetail): SettingsSessionVerdict {
  if (result.outcome === 'refused') return denied(result.reason, { detail })
  const { session } = result
  const known = () => ({ ...detail, principalId: principalId(session.user) })
  if (!isWhole(options.engine, session)) {
    return denied('awaiting_identity', { detail: known(), members: whereTo(options) })
  }
  if (!options.kinds.includes(session.kind)) return denied('wrong_kind', { detail: known() })
  if (options.freshMs !== undefined && session.verifiedMsAgo > options.freshMs) {
    return denied('stale', { detail: known(), members: whereTo(options) })
  }
  return granted(principalOfSession(session), detail)
}

/** Where the person proves who they are. Without a provider it is a new link, from the chat. */
function whereTo({ engine }: ResolvedGateOptions): Readonly<Record<string, string>> {
  return engine.provider === undefined ? {} : { reauthenticate: pathTo(engine, '/oauth/start') }
}
