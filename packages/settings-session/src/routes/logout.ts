import { denied } from '@countersign/core/gate-kit'
import type { Request, Response } from 'express'
import { expireCookie, tokenInCookie } from '../cookies.js'
import { isOwnRequest, isPlainText } from '../csrf.js'
import { reportChange } from '../events.js'
import { wantsHtml } from '../pages/error-page.js'
import { closeSockets } from '../session-watch.js'
import { changedBy, type RouteContext } from './context.js'
import { type Outcome, page } from './outcome.js'

/** `POST /logout`: ends the session and deletes our own cookies. Without a session there is nothing to refuse. */
export async function logOut(context: RouteContext, request: Request, response: Response): Promise<Outcome> {
  const { site, store, sockets, audit } = context
  const { session, open, signIn } = site.cookies
  const token = tokenInCookie(request, session, 's')
  if (isPlainText(request) || !isOwnRequest(request, site.origin, token?.text)) return denied('cross_site')
  const ended = token === undefined ? undefined : await store.revoke(token.tag, token.hash)
  if (ended !== undefined) {
    closeSockets(sockets, ended.user)
    const http = changedBy(context, request)
    reportChange(audit, 'settings.session.ended', { user: ended.user, id: ended.id, http })
  }
  for (const name of [session, open, signIn]) expireCookie(response, name)
  return wantsHtml(request) ? page('loggedOut', {}) : { outcome: 'empty' }
}
