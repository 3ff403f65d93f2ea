import { memberOf, unavailableBy } from '@countersign/core/gate-kit'
import type { Request, Response } from 'express'
import { expireCookie } from '../cookies.js'
import { grantChange, openingAttributes, reportEnded } from '../events.js'
import { checkMetadata, type OpenResult } from '../links/kinds.js'
import { SensitiveUrl } from '../links/sensitive-url.js'
import { principalOfSession } from '../principal.js'
import { pathTo, type Site } from '../site.js'
import type { EndedSession, StoredSession } from '../store/port.js'
import type { Token } from '../tokens.js'
import { changedBy, type RouteContext } from './context.js'
import { continueOnPage, type Outcome, type Reply, seeOther } from './outcome.js'
import { setSessionCookie, undoOpening } from './session.js'

/**
 * On to a place of ours at the end of a navigation that another site began. A Strict cookie is not sent along such a
 * chain, but it is from a page of our own.
 */
export function continueTo(site: Site, request: Request, place: string = pathTo(site, '')): Reply {
  if (site.sameSite === 'lax' || request.method !== 'GET') return seeOther(place)
  return continueOnPage(place, 'waitSignedIn')
}

/** A session that has become active. */
export interface Opened {
  readonly token: Token
  readonly session: StoredSession
  /** A double click, or the answer to the first one was lost, and with it its record: each is recorded. */
  readonly isRepeat: boolean
  /** How it was opened, when not by a link. */
  readonly by?: 'sign_in' | undefined
  /** The sessions that it ended. */
  readonly ended?: readonly EndedSession[] | undefined
}

/** A session has become active: its cookie, its event, and on to where it leads. */
export async function welcome(
  context: RouteContext,
  request: Request,
  response: Response,
  { token, session, isRepeat, by, ended }: Opened,
): Promise<Outcome> {
  const { site, kinds, onOpen, audit } = context
  const { id, user, kind, metadata, returnTo } = session
  const attributes = { ...openingAttributes(session, isRepeat), ...(by === undefined ? {} : { by }) }
  const http = changedBy(context, request)
  // The session of a repeat is the first request's too, which undoes it when that was not recorded either.
  const undo = () => (isRepeat ? undefined : undoOpening(context, request, token, user))
  const recording = grantChange(audit, 'settings.session.opened', { user, id, http, attributes }, undo)
  reportEnded(audit, session, ended, http)
  await recording
  // Before the app's `onOpen` is called: what it throws must not cost the person the session.
  setSessionCookie(context, response, token)
  expireCookie(response, site.cookies.open)
  const opened = { principal: principalOfSession(session), kind, ...checkMetadata(kinds, kind, metadata) }
  let result: OpenResult
  try {
    result = await onOpen?.(opened as Parameters<typeof onOpen>[0])
  } catch (error) {
    return unavailableBy(error, 'on_open', { credential: { id }, principalId: opened.principal.id })
  }
  if (result === undefined) return continueTo(site, request, returnTo)
  const goTo = memberOf(result, 'goTo') as NonNullable<OpenResult>['goTo']
  const url = goTo instanceof SensitiveUrl ? goTo : new SensitiveUrl(goTo, site.origin)
  return continueOnPage(url.reveal('deliver-to-user'), 'waitReady')
}
