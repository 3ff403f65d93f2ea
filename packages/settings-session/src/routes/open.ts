import { describeRequest, secretsEqual } from '@countersign/core/gate-kit'
import type { Request, Response } from 'express'
import { expireCookie, onlyCookie, setCookie } from '../cookies.js'
import { isPlainText, siteOf } from '../csrf.js'
import { type Engine, pathTo } from '../engine.js'
import { checkMetadata } from '../links.js'
import { mask } from '../mask.js'
import {
  attemptOf,
  codeHashOf,
  formTokenOf,
  mintOpenCookie,
  type OpenCookie,
  parseOpenCookie,
  sessionTokenOf,
} from '../open-cookie.js'
import { sendPage } from '../pages/send-page.js'
import type { SettingsSessionReason } from '../reasons.js'
import type { PeekedLink } from '../stores/store.js'
import { parseToken, type Token } from '../tokens.js'
import { refuse } from './answers.js'
import { goOn, isSignedIn, leaveFor, setSessionCookie, welcome } from './session-response.js'

/**
 * `GET /?s=…`: looks at the link and moves it from the URL to a cookie. It never consumes: previews, scanners and
 * prefetching come here.
 */
export async function receiveLink(engine: Engine, request: Request, response: Response): Promise<void> {
  const link = parseToken('l', request.query.s)
  if (link === undefined) return refuse(engine, request, response, { reason: 'malformed', isOfLink: true })
  const found = await look(engine, link)
  if (found.outcome === 'refused') return refuseLink(engine, request, response, found.reason, link)
  const maxAgeSeconds = (found.expiresAt - engine.options.clock.now()) / 1000
  setCookie(response, engine.cookies.open, mintOpenCookie(link), { maxAgeSeconds: Math.max(60, maxAgeSeconds) })
  response.setHeader('Cache-Control', 'no-store')
  response.setHeader('Referrer-Policy', 'no-referrer')
  response.setHeader('X-Robots-Tag', 'noindex, nofollow')
  response.redirect(303, pathTo(engine, '/open'))
}

/** `GET /open`: what would be opened, for whom, until when, and a button. */
export async function confirmPage(engine: Engine, request: Request, response: Response): Promise<void> {
  const opening = parseOpenCookie(onlyCookie(request, engine.cookies.open))
  if (opening === undefined) return withoutLink(engine, request, response)
  const found = await look(engine, opening.link)
  if (found.outcome === 'refused') {
    // After a success, Back leads here.
    if (found.reason === 'spent' && (await isSignedIn(engine, request))) return goOn(engine, response)
    return refuseLink(engine, request, response, found.reason, opening.link)
  }
  showConfirm(engine, request, response, opening, found, false)
}

type OpenLink = Extract<PeekedLink, { outcome: 'open' }>

function showConfirm(
  engine: Engine,
  request: Request,
  response: Response,
  opening: OpenCookie,
  { content, expiresAt, needsCode }: OpenLink,
  isCodeWrong: boolean,
): void {
  const { user, agentId, kind } = content
  sendPage(
    engine.options.pages,
    request,
    response,
    'confirm',
    {
      action: pathTo(engine, '/open'),
      fields: { token: formTokenOf(opening) },
      needsCode,
      isCodeWrong,
      kind,
      platform: user.platform,
      user: mask(user.userId),
      agentId,
      provider: engine.provider?.name,
      expiresAt: new Date(expiresAt),
    },
    isCodeWrong ? 403 : 200,
  )
}

/** `POST /open`: the one step that consumes. */
export async function openLink(engine: Engine, request: Request, response: Response): Promise<void> {
  const site = siteOf(request, engine.origin)
  if (site === 'cross_site' || isPlainText(request)) return refuse(engine, request, response, { reason: 'cross_site' })
  const opening = parseOpenCookie(onlyCookie(request, engine.cookies.open))
  if (opening === undefined) return withoutLink(engine, request, response)
  const { token, code } = (request.body ?? {}) as Partial<Record<string, unknown>>
  if (typeof token !== 'string' || !secretsEqual(token, formTokenOf(opening))) {
    return refuse(engine, request, response, { reason: 'cross_site' })
  }
  const { link } = opening
  // Validated before it is consumed: a link for another part of the app is not burnt by opening it here.
  const found = await peek(engine, link)
  if (found.outcome === 'open' && !isOurs(engine, found)) {
    return refuseLink(engine, request, response, 'wrong_kind', link)
  }
  const session = sessionTokenOf(opening)
  const result = await engine.options.store.exchange({
    link,
    session,
    attempt: attemptOf(opening),
    state: engine.provider === undefined ? 'active' : 'awaiting_identity',
    limits: engine.limits,
    codeHash: typeof code === 'string' ? codeHashOf(link, code.trim()) : undefined,
  })
  if (result.outcome === 'opened') {
    if (engine.provider === undefined) return welcome(engine, request, response, session, result)
    setSessionCookie(engine, response, session)
    return leaveFor(
      engine,
      request,
      response,
      pathTo(engine, '/oauth/start'),
      `Next: sign in with ${engine.provider.name}.`,
    )
  }
  if (result.reason === 'wrong_code' && found.outcome === 'open') {
    engine.emit({
      type: 'settings.link.refused',
      reason: 'wrong_code',
      owasp: 'authn_login_fail',
      principal: { kind: 'settings-session', id: 'unknown' },
      credential: { id: link.tag },
      http: describeRequest(request, pathTo(engine, '/open'), 403),
    })
    return showConfirm(engine, request, response, opening, found, typeof code === 'string')
  }
  refuseLink(engine, request, response, result.reason, link)
}

function peek(engine: Engine, link: Token) {
  return engine.options.store.peekLink(link)
}

/** What the link is, as far as this engine opens it. */
async function look(
  engine: Engine,
  link: Token,
): Promise<OpenLink | { outcome: 'refused'; reason: SettingsSessionReason }> {
  const found = await peek(engine, link)
  return found.outcome === 'open' && !isOurs(engine, found) ? { outcome: 'refused', reason: 'wrong_kind' } : found
}

function isOurs(engine: Engine, { content }: OpenLink): boolean {
  return checkMetadata(engine, content.kind, content.metadata) !== undefined
}

/** The browser has no link: it is signed in already, or it never had one. */
async function withoutLink(engine: Engine, request: Request, response: Response): Promise<void> {
  if (await isSignedIn(engine, request)) return goOn(engine, response)
  refuse(engine, request, response, { reason: 'missing', isOfLink: true })
}

function refuseLink(
  engine: Engine,
  request: Request,
  response: Response,
  reason: SettingsSessionReason,
  link: Token,
): void {
  expireCookie(response, engine.cookies.open)
  refuse(engine, request, response, { reason, isOfLink: true, event: { credential: { id: link.tag } } })
}
