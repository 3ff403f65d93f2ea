import type { Request, Response } from 'express'
import { expireCookie, onlyCookie } from '../cookies.js'
import { carriesToken, isPlainText, siteOf } from '../csrf.js'
import { csrfTokenOf, type Engine, eventPrincipal } from '../engine.js'
import { sendPage } from '../pages/send-page.js'
import { parseToken } from '../tokens.js'
import { refuse, wantsHtml } from './answers.js'

/** `POST /logout`: ends the session and takes our own cookies back. Without a session there is nothing to refuse. */
export async function logOut(engine: Engine, request: Request, response: Response): Promise<void> {
  const token = parseToken('s', onlyCookie(request, engine.cookies.session))
  const site = siteOf(request, engine.origin)
  const isOwn =
    site === 'same_origin' ||
    (site === 'unsure' && token !== undefined && carriesToken(request, csrfTokenOf(token.text)))
  if (!isOwn || isPlainText(request)) return refuse(engine, request, response, { reason: 'cross_site' })
  const ended = token === undefined ? undefined : await engine.options.store.revoke(token.tag, token.hash)
  if (ended !== undefined) {
    engine.emit({
      type: 'settings.session.ended',
      owasp: 'session_terminated',
      principal: eventPrincipal(ended),
      credential: { id: ended.id },
    })
  }
  const { session, open, signIn } = engine.cookies
  for (const name of [session, open, signIn]) expireCookie(response, name)
  response.setHeader('Cache-Control', 'no-store')
  if (!wantsHtml(request)) return void response.status(204).end()
  sendPage(engine.options.pages, request, response, 'loggedOut', {})
}
