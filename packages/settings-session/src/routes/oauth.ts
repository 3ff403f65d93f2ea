import { isDenied } from '@countersign/core/gate-kit'
import type { Request, Response } from 'express'
import { expireCookie, setCookie, tokenInCookie } from '../cookies.js'
import type { Provider } from '../oauth/provider.js'
import { bindingOf } from '../oauth/sign-in.js'
import { parseReturnTo, pathTo, type Site } from '../site.js'
import { mintToken, type Token, type TokenRef } from '../tokens.js'
import { isWhole } from '../verify.js'
import type { RouteContext } from './context.js'
import { settleIdentity } from './identity.js'
import { type Outcome, seeOther } from './outcome.js'
import { isAnswerTo, refuseAnswer, SIGN_IN_MS, whereToSignIn, whoSignedIn } from './provider-trip.js'
import { finishReturning, mayReturn, returningIn, startReturning } from './returning.js'
import { currentSession, isSignedIn, withoutSession } from './session.js'
import { isReleasable, releasePage } from './taken.js'

/** `GET /oauth/start`: binds a sign-in to this browser and its session, and sends the browser to the provider. */
export async function startSignIn(
  context: RouteContext,
  provider: Provider,
  request: Request,
  response: Response,
): Promise<Outcome> {
  const { site, store } = context
  const current = await currentSession(context, request)
  if (isDenied(current)) {
    if (!mayReturn(context, request)) return withoutSession(context, request, current)
    return startReturning(context, provider, request, response)
  }
  const { token, session } = current
  if (isReleasable(session)) return releasePage(context, token, session)
  const isAgain = isWhole(session, true)
  const signIn = signInOf(request, site, token)
  const url = await whereToSignIn(site, provider, bindingOf(signIn, provider.id, isAgain))
  if (!(url instanceof URL)) return url
  const returnTo = parseReturnTo(request.query.returnTo, site)
  await store.beginOAuth({ ref: signIn, session: token, isAgain, returnTo, ttlMs: SIGN_IN_MS })
  setCookie(response, site.cookies.signIn, signIn.text, { maxAgeSeconds: SIGN_IN_MS / 1000 })
  return { outcome: 'redirect', status: 302, to: url.href }
}

/**
 * The sign-in that is under way in this browser for this session, or a new one under the session's own tag: a session has one
 * sign-in under way, however often it begins one. Of two tabs at the provider, either may come back.
 */
function signInOf(request: Request, { cookies }: Site, session: TokenRef): Token {
  const current = tokenInCookie(request, cookies.signIn, 't')
  return current?.tag === session.tag ? current : mintToken('t', session.tag)
}

/** `GET /oauth/callback`: takes the sign-in of this browser, once, and settles who came back. */
export async function finishSignIn(
  context: RouteContext,
  provider: Provider,
  request: Request,
  response: Response,
): Promise<Outcome> {
  const { site, store, identities } = context
  const signIn = tokenInCookie(request, site.cookies.signIn, 't')
  if (signIn === undefined) {
    const returning = context.maySignIn ? returningIn(request, site) : undefined
    if (returning !== undefined) return finishReturning(context, provider, request, response, returning)
    return withoutSignIn(context, request, 'state')
  }
  // Checked before it is taken: an answer to another sign-in does not end the one that is under way.
  if (!isAnswerTo(signIn, provider, request)) return refuseAnswer(context, request, 'state')
  const taken = await store.takeOAuth(signIn)
  expireCookie(response, site.cookies.signIn)
  if (taken === undefined) return withoutSignIn(context, request, 'replayed')
  const identity = await whoSignedIn(context, provider, request, bindingOf(signIn, provider.id, taken.isAgain))
  if ('outcome' in identity) return identity
  const mayEstablish = identities.firstClaim === 'trust-link'
  return settleIdentity(context, request, response, { ...taken, identity, mayEstablish })
}

/** What an answer may hold that is used (RFC 6749 §4.1.2, RFC 9207). */
const ANSWER_FIELDS = ['code', 'state', 'iss', 'error'] as const

/**
 * `POST /oauth/callback`: the answer in a form of the provider's page, which comes from another site and so without our
 * cookies. Nothing is decided on it: the browser is sent on to `GET`, with the cookies that bind the answer to it.
 */
export function relayAnswer(context: RouteContext, request: Request): Outcome | Promise<Outcome> {
  const body = (request.body ?? {}) as Partial<Record<string, unknown>>
  const fields = ANSWER_FIELDS.flatMap((name) => (typeof body[name] === 'string' ? [[name, body[name]]] : []))
  const query = new URLSearchParams(fields as [string, string][])
  if (!query.has('state')) return refuseAnswer(context, request, 'state')
  return seeOther(`${pathTo(context.site, '/oauth/callback')}?${query}`)
}

/**
 * No sign-in is under way here. Where the person is signed in, another tab was faster: nothing is done, and they see their
 * settings.
 */
async function withoutSignIn(context: RouteContext, request: Request, cause: string): Promise<Outcome> {
  if (await isSignedIn(context, request)) return seeOther(pathTo(context.site, ''))
  return refuseAnswer(context, request, cause)
}
