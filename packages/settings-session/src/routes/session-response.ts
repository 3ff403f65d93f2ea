import type { Request, Response } from 'express'
import { expireCookie, onlyCookie, setCookie } from '../cookies.js'
import { type Engine, eventPrincipal, isWhole, pathTo, principalOfSession } from '../engine.js'
import { checkMetadata } from '../links.js'
import { sendPage } from '../pages/send-page.js'
import { SensitiveUrl } from '../sensitive-url.js'
import type { ReadResult, StoredSession } from '../stores/store.js'
import { parseToken, type Token } from '../tokens.js'

/** The browser's session and what the store says of it; undefined without a cookie that could be one. */
export async function readSession(
  engine: Engine,
  request: Request,
): Promise<{ readonly token: Token; readonly result: ReadResult } | undefined> {
  const token = parseToken('s', onlyCookie(request, engine.cookies.session))
  return token === undefined ? undefined : { token, result: await engine.options.store.read(token) }
}

/** Whether the browser's own session is an active one. */
export async function isSignedIn(engine: Engine, request: Request): Promise<boolean> {
  const result = (await readSession(engine, request))?.result
  return result?.outcome === 'found' && isWhole(engine, result.session)
}

/** On to the settings. */
export function goOn(engine: Engine, response: Response, returnTo: string = pathTo(engine, '')): void {
  response.setHeader('Cache-Control', 'no-store')
  response.redirect(303, returnTo)
}

/**
 * On to a place of ours at the end of a navigation that another site began. A Strict cookie is not sent along such a
 * chain, but it is from a page of our own.
 */
export function continueTo(
  engine: Engine,
  request: Request,
  response: Response,
  returnTo: string = pathTo(engine, ''),
): void {
  if (engine.options.sameSite === 'lax' || request.method !== 'GET') return goOn(engine, response, returnTo)
  leaveFor(engine, request, response, returnTo, 'You are signed in.')
}

export function setSessionCookie(engine: Engine, response: Response, session: Token): void {
  const { sameSite } = engine.options
  setCookie(response, engine.cookies.session, session.text, {
    maxAgeSeconds: engine.limits.absoluteMs / 1000,
    sameSite,
  })
}

export interface Opened {
  readonly session: StoredSession
  /** A double click: the first click's session was already told of. */
  readonly isRepeat: boolean
}

/** A session has become active: its cookie, its event, and on to where it leads. */
export async function welcome(
  engine: Engine,
  request: Request,
  response: Response,
  token: Token,
  { session, isRepeat }: Opened,
): Promise<void> {
  const { kind, metadata } = session
  if (!isRepeat) {
    engine.emit({
      type: 'settings.session.opened',
      owasp: 'authn_login_success',
      principal: eventPrincipal(session),
      credential: { id: session.id },
      attributes: { kind, ...(session.linkId === undefined ? {} : { link: session.linkId }) },
    })
  }
  // Before the app is told: what it throws must not cost the person the session.
  setSessionCookie(engine, response, token)
  expireCookie(response, engine.cookies.open)
  const { onOpen } = engine.options
  const opened = { principal: principalOfSession(session), kind, ...checkMetadata(engine, kind, metadata) }
  const result = await onOpen?.(opened as Parameters<typeof onOpen>[0])
  if (result === undefined) return continueTo(engine, request, response, session.returnTo)
  const { goTo } = result
  const url = goTo instanceof SensitiveUrl ? goTo : new SensitiveUrl(goTo, engine.origin)
  leaveFor(engine, request, response, url.reveal('deliver-to-user'), 'Everything is ready.')
}

/** Goes on by a page: a redirect that answers a form is blocked where `form-action 'self'` holds (helmet's default). */
export function leaveFor(engine: Engine, request: Request, response: Response, url: string, text: string): void {
  sendPage(engine.options.pages, request, response, 'interstitial', {
    goTo: url,
    text,
    link: 'Go on',
    delaySeconds: 0,
  })
}
