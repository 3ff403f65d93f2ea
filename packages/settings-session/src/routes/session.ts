import { type Denied, denied, isDenied } from '@countersign/core/gate-kit'
import type { Request, Response } from 'express'
import { setCookie, tokenInCookie } from '../cookies.js'
import { reportChange } from '../events.js'
import type { SettingsUser } from '../principal.js'
import type { SettingsSessionReason } from '../reasons.js'
import { closeSockets } from '../session-watch.js'
import type { StoredSession } from '../store/port.js'
import type { Token, TokenRef } from '../tokens.js'
import { isWhole, refusedBy } from '../verify.js'
import { changedBy, type RouteContext } from './context.js'

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
