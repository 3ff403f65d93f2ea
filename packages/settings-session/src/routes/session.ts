import { type Denied, denied, isDenied } from '@countersign/core/gate-kit'
import type { Request, Response } from 'express'
import { onlyCookie, setCookie, tokenInCookie } from '../cookies.js'
import { reportChange } from '../events.js'
import { parseOpenCookie } from '../links/open-cookie.js'
import type { PageLink } from '../pages/error-page.js'
import { type ErrorWords, NO_LINK_ON_HTTP_WORDS, NO_LINK_WORDS, SIGN_IN_ENDED_WORDS } from '../pages/texts.js'
import type { SettingsUser } from '../principal.js'
import type { SettingsSessionReason } from '../reasons.js'
import { closeSockets } from '../session-watch.js'
import { pathTo, type Site } from '../site.js'
import type { StoredSession } from '../store/port.js'
import type { Token, TokenRef } from '../tokens.js'
import { isWhole, refusedBy } from '../verify.js'
import { changedBy, type RouteContext } from './context.js'
import type { RouteDenied } from './outcome.js'

/** The session of a browser, whether it opens anything yet or not. */
export interface CurrentSession {
  readonly token: Token
  readonly session: StoredSession
}

/** The browser's session, or why it has none that lives. */
export async function currentSession(
  { site, store }: RouteContext,
  request: Request,
): Promise<CurrentSession | Denied<SettingsSessionReason>> {
  const token = tokenInCookie(request, site.cookies.session, 's')
  if (token === undefined) return denied('missing')
  const result = await store.read(token)
  return result.outcome === 'found' ? { token, session: result.session } : refusedBy(result)
}

/** Whether the browser's own session opens the settings. */
export async function isSignedIn(context: RouteContext, request: Request): Promise<boolean> {
  const current = await currentSession(context, request)
  return !isDenied(current) && isWhole(current.session, context.provider !== undefined)
}

/** What a browser is told that has no link, as far as this site's cookies could tell. */
export function noLinkWords({ origin }: Site): ErrorWords {
  return origin.startsWith('http:') ? NO_LINK_ON_HTTP_WORDS : NO_LINK_WORDS
}

/** The refusal of a page of the sign-in, in a browser without a session that lives. */
export function withoutSession(
  { site }: RouteContext,
  request: Request,
  refusal: Denied<SettingsSessionReason>,
): RouteDenied {
  const words = refusal.reason === 'missing' ? noLinkWords(site) : SIGN_IN_ENDED_WORDS
  return { ...refusal, words, link: linkToOpen(request, site) }
}

/** The way back to the link that the browser has, where it has one. */
export function linkToOpen(request: Request, site: Site): PageLink | undefined {
  if (parseOpenCookie(onlyCookie(request, site.cookies.open)) === undefined) return undefined
  return { href: pathTo(site, '/open'), text: 'continueWithLink' }
}

/** Gives the browser its session. */
export function setSessionCookie({ site, limits }: RouteContext, response: Response, session: Token): void {
  const attributes = { maxAgeSeconds: limits.absoluteMs / 1000, sameSite: site.sameSite }
  setCookie(response, site.cookies.session, session.text, attributes)
}

/** Ends a session that may not be: its person may not be the first, or the audit did not record it. */
export async function revokeSession(
  context: RouteContext,
  request: Request,
  { id, user }: Pick<StoredSession, 'id' | 'user'>,
  cause: 'first_claim_denied' | 'audit_sink',
  { hash, freesLink }: { readonly hash?: string; readonly freesLink?: boolean } = {},
): Promise<void> {
  const { store, sockets, audit } = context
  if ((await store.revoke(id, hash, { freesLink })) === undefined) return
  closeSockets(sockets, user)
  const http = changedBy(context, request)
  reportChange(audit, 'settings.session.revoked', { user, id, http, attributes: { cause } })
}

/** Ends a session whose opening was not recorded. Its person is not to blame: the link can be opened again. */
export function undoOpening(
  context: RouteContext,
  request: Request,
  { tag, hash }: TokenRef,
  user: SettingsUser,
): Promise<void> {
  return revokeSession(context, request, { id: tag, user }, 'audit_sink', { hash, freesLink: true })
}
