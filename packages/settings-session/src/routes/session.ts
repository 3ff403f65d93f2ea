import type { Request, Response } from 'express'
import { setCookie, tokenInCookie } from '../cookies.js'
import type { ReadResult } from '../store/port.js'
import type { Token } from '../tokens.js'
import { isWhole } from '../verify.js'
import type { RouteContext } from './context.js'

/** The browser's session and what the store says of it; undefined without a cookie that could be one. */
export async function currentSession(
  { site, store }: Pick<RouteContext, 'site' | 'store'>,
  request: Request,
): Promise<{ readonly token: Token; readonly result: ReadResult } | undefined> {
  const token = tokenInCookie(request, site.cookies.session, 's')
  return token === undefined ? undefined : { token, result: await store.read(token) }
}

/** Whether the browser's own session opens the settings. */
export async function isSignedIn(
  context: Pick<RouteContext, 'site' | 'store' | 'provider'>,
  request: Request,
): Promise<boolean> {
  const result = (await currentSession(context, request))?.result
  return result?.outcome === 'found' && isWhole(result.session, context.provider !== undefined)
}

/** Gives the browser its session. */
export function setSessionCookie(
  { site, limits }: Pick<RouteContext, 'site' | 'limits'>,
  response: Response,
  session: Token,
): void {
  const attributes = { maxAgeSeconds: limits.absoluteMs / 1000, sameSite: site.sameSite }
  setCookie(response, site.cookies.session, session.text, attributes)
}
