import { type Denied, denied, describeError, isDenied, listed, secretsEqual } from '@countersign/core/gate-kit'
import type { Request, Response } from 'express'
import { refuseTooMany } from '../attempts.js'
import { expireCookie, onlyCookie, setCookie } from '../cookies.js'
import { isPlainText, siteOf } from '../csrf.js'
import { openingAttributes, reportChange, reportEnded } from '../events.js'
import { digitsIn } from '../links/code.js'
import { checkMetadata } from '../links/kinds.js'
import {
  attemptOf,
  codeHashOf,
  formTokenOf,
  mintOpenCookie,
  type OpenCookie,
  parseOpenCookie,
  sessionTokenOf,
} from '../links/open-cookie.js'
import type { SettingsUser } from '../principal.js'
import type { SettingsSessionReason } from '../reasons.js'
import { pathTo, type Site } from '../site.js'
import { userKey } from '../store/keys.js'
import type { ExchangeResult, PeekedLink, SettingsStore } from '../store/port.js'
import { parseToken, TOKEN_LENGTH, type Token } from '../tokens.js'
import { isWhole, refusedBy } from '../verify.js'
import { changedBy, type RouteContext } from './context.js'
import { named, namedBy } from './named-user.js'
import { continueOnPage, type Outcome, type PageReply, page, type RouteDenied, seeOther } from './outcome.js'
import { currentSession, isSignedIn, noLinkWords, setSessionCookie } from './session.js'
import { welcome } from './welcome.js'

type OpenLink = Extract<PeekedLink, { outcome: 'open' }>

/**
 * `GET /?s=…`: looks at the link and moves it from the URL to a cookie. It never consumes: previews, scanners and
 * prefetching come here.
 */
export async function receiveLink(context: RouteContext, request: Request, response: Response): Promise<Outcome> {
  const { site, clock } = context
  const link = parseLink(request.query.s)
  if (link === undefined) return linkDenied(denied('malformed', { detail: { attributes: { part: 'link' } } }))
  const found = await lookAt(context, link)
  if (found.outcome === 'denied') {
    const place = found.reason === 'spent' ? await placeOpenedBy(context, request, link) : undefined
    return place === undefined ? refuseLink(site, response, found, link) : seeOther(place)
  }
  const maxAgeSeconds = (found.expiresAt - clock.now()) / 1000
  const held = onlyCookie(request, site.cookies.open)
  // The browser has the link open in another tab already: the form there stays valid.
  const value = held !== undefined && parseOpenCookie(held)?.link.text === link.text ? held : mintOpenCookie(link)
  setCookie(response, site.cookies.open, value, { maxAgeSeconds: Math.max(60, maxAgeSeconds) })
  response.setHeader('Referrer-Policy', 'no-referrer')
  response.setHeader('X-Robots-Tag', 'noindex, nofollow')
  return seeOther(pathTo(site, '/open'))
}

/** What a sentence leaves at the end of a link, where a chat takes it for a part of the link. */
const PUNCTUATION = /^[!-/:-@[-`{-~‘-”»…。，、）」]{1,8}$/

function parseLink(value: unknown): Token | undefined {
  if (typeof value !== 'string' || !PUNCTUATION.test(value.slice(TOKEN_LENGTH))) return parseToken('l', value)
  return parseToken('l', value.slice(0, TOKEN_LENGTH))
}

/** Where the browser's own session leads, when this link has opened it: its owner clicked once more. */
async function placeOpenedBy(context: RouteContext, request: Request, link: Token): Promise<string | undefined> {
  const current = await currentSession(context, request)
  if (isDenied(current) || current.session.linkId !== link.tag) return undefined
  if (!isWhole(current.session, context.provider !== undefined)) return undefined
  return current.session.returnTo ?? pathTo(context.site, '')
}

/** `GET /open`: what would be opened, for whom, until when, and a button. */
export async function showLink(context: RouteContext, request: Request, response: Response): Promise<Outcome> {
  const { site } = context
  const opening = parseOpenCookie(onlyCookie(request, site.cookies.open))
  if (opening === undefined) return withoutLink(context, request)
  const found = await lookAt(context, opening.link)
  if (found.outcome === 'open') return await confirmPage(context, request, opening, found)
  // After a success, Back leads here.
  if (found.reason === 'spent' && (await isSignedIn(context, request))) return seeOther(pathTo(site, ''))
  return refuseLink(site, response, found, opening.link)
}

/** `POST /open`: the one step that consumes. */
export async function openLink(context: RouteContext, request: Request, response: Response): Promise<Outcome> {
  const { site, store, provider, limits } = context
  // Where the headers do not tell, the form's token does.
  if (siteOf(request, site.origin) === 'cross_site' || isPlainText(request)) return denied('cross_site')
  const opening = parseOpenCookie(onlyCookie(request, site.cookies.open))
  if (opening === undefined) return withoutLink(context, request)
  const { token, code, notMe } = (request.body ?? {}) as Partial<Record<string, unknown>>
  if (typeof token !== 'string' || !secretsEqual(token, formTokenOf(opening))) return denied('cross_site')
  const { link } = opening
  if (notMe !== undefined) return disown(context, request, response, link)
  // Validated before it is consumed: trying a link for another part of the app here does not spend it.
  const found = await lookAt(context, link)
  if (found.outcome === 'denied' && found.reason === 'wrong_kind') return refuseLink(site, response, found, link)
  const digits = typeof code === 'string' ? digitsIn(code) : undefined
  // Not digits at all: that is no guess, so it costs no attempt.
  if (found.outcome === 'open' && found.needsCode && digits === undefined) {
    return {
      ...linkDenied(denied('wrong_code'), link),
      page: await confirmPage(context, request, opening, found, 'incomplete'),
    }
  }
  const tooMany = found.outcome === 'open' ? await refuseTooManyOf(store, link, found.content.user) : undefined
  if (tooMany !== undefined) return linkDenied(tooMany, link)
  const session = sessionTokenOf(opening)
  const result = await store.exchange({
    link,
    session,
    attempt: attemptOf(opening),
    state: provider === undefined ? 'active' : 'awaiting_identity',
    limits,
    codeHash: digits === undefined ? undefined : codeHashOf(link, digits),
  })
  if (result.outcome === 'opened') {
    if (provider === undefined) return welcome(context, request, response, { token: session, ...result })
    reportPending(context, request, result)
    setSessionCookie(context, response, session)
    return continueOnPage(pathTo(site, '/oauth/start'), ['waitSignIn', { provider: provider.name }])
  }
  if (result.reason !== 'wrong_code' || found.outcome === 'denied') {
    if (result.isVoided === true) {
      const user = found.outcome === 'open' ? found.content.user : undefined
      const http = changedBy(context, request)
      const attributes = { cause: 'wrong_codes' }
      reportChange(context.audit, 'settings.link.revoked', { user, id: link.tag, http, attributes })
    }
    return refuseLink(site, response, refusedBy(result), link)
  }
  return {
    ...linkDenied(denied('wrong_code'), link),
    page: await confirmPage(context, request, opening, found, 'wrong'),
  }
}

async function refuseTooManyOf(store: SettingsStore, link: Token, user: SettingsUser) {
  return (await refuseTooMany(store, 'link', link.tag)) ?? refuseTooMany(store, 'user', userKey(user))
}

/** The link is held by this browser; its session opens nothing before the person has signed in. */
function reportPending(
  context: RouteContext,
  request: Request,
  { session, isRepeat, ended }: Extract<ExchangeResult, { outcome: 'opened' }>,
): void {
  const { id, user } = session
  const http = changedBy(context, request)
  const attributes = openingAttributes(session, isRepeat)
  reportChange(context.audit, 'settings.session.pending', { user, id, http, attributes })
  reportEnded(context.audit, session, ended, http)
}

async function confirmPage(
  context: RouteContext,
  request: Request,
  opening: OpenCookie,
  { content, expiresAt, needsCode }: OpenLink,
  problem?: 'wrong' | 'incomplete',
): Promise<PageReply> {
  const { site, provider, store, identities, maySignIn, clock } = context
  const { user, agentId, kind, display } = content
  const current = await currentSession(context, request)
  const isAnother = !isDenied(current) && userKey(current.session.user) !== userKey(user)
  // Somebody else may have sent the link, to have the person's account connected with their own user.
  const mayConnect = provider !== undefined && identities.firstClaim !== 'deny'
  return page('confirm', {
    ...named(user),
    action: pathTo(site, '/open'),
    fields: { token: formTokenOf(opening) },
    needsCode,
    isCodeWrong: problem === 'wrong',
    isCodeIncomplete: problem === 'incomplete',
    kind,
    agentId,
    display,
    provider: provider?.name,
    connects: mayConnect && (await store.identityOf(user)) === undefined,
    returns: maySignIn,
    replaces: isAnother ? namedBy(current.session) : undefined,
    expiresAt: new Date(expiresAt),
    secondsLeft: (expiresAt - clock.now()) / 1000,
  })
}

/** "Not me": the link is void, and the app can tell its user. The answer does not wait for that, nor fail with it. */
async function disown(context: RouteContext, request: Request, response: Response, link: Token): Promise<Outcome> {
  const { site, store, audit, onNotMe } = context
  const found = await store.peekLink(link)
  if (found.outcome === 'refused') return refuseLink(site, response, refusedBy(found), link)
  expireCookie(response, site.cookies.open)
  if (await store.voidLink(link)) {
    const { user, agentId } = found.content
    const change = { user, id: link.tag, http: changedBy(context, request) }
    reportChange(audit, 'settings.link.revoked', { ...change, attributes: { cause: 'not_me' } })
    const tell = async () => onNotMe?.({ user, linkId: link.tag, agentId })
    const reportFailure = (error: unknown) =>
      reportChange(audit, 'settings.link.revoked', {
        ...change,
        outcome: 'error',
        reason: 'warning_failed',
        attributes: describeError(error),
      })
    setImmediate(() => tell().catch(reportFailure))
  }
  return page('notMe', {})
}

/** What a link is, as far as it opens anything here. */
async function lookAt({ store, kinds }: RouteContext, link: Token): Promise<OpenLink | Denied<SettingsSessionReason>> {
  const found = await store.peekLink(link)
  if (found.outcome === 'refused') return refusedBy(found)
  const { kind, metadata } = found.content
  if (checkMetadata(kinds, kind, metadata) !== undefined) return found
  return denied('wrong_kind', { detail: { attributes: { kind, expected_kinds: listed(Object.keys(kinds)) } } })
}

/** The browser has no link: it is signed in already, it never had one, or it keeps no cookies. */
async function withoutLink(context: RouteContext, request: Request): Promise<Outcome> {
  if (await isSignedIn(context, request)) return seeOther(pathTo(context.site, ''))
  return { ...linkDenied(denied('missing')), words: noLinkWords(context.site) }
}

function refuseLink(site: Site, response: Response, refusal: Denied<SettingsSessionReason>, link: Token): RouteDenied {
  expireCookie(response, site.cookies.open)
  return linkDenied(refusal, link)
}

function linkDenied(refusal: Denied<SettingsSessionReason>, link?: Token): RouteDenied {
  const detail = link === undefined ? refusal.detail : { ...refusal.detail, credential: { id: link.tag } }
  return { ...refusal, detail, type: 'settings.link.refused' }
}
