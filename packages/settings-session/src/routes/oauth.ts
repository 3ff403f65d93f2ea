import { denied, isBug, isDenied, isUnavailable, secretsEqual, unavailableBy } from '@countersign/core/gate-kit'
import type { Request, Response } from 'express'
import { expireCookie, setCookie, tokenInCookie } from '../cookies.js'
import type { Provider } from '../oauth/provider.js'
import { bindingOf } from '../oauth/sign-in.js'
import { OTHER_BROWSER_WORDS } from '../pages/texts.js'
import type { SettingsIdentity } from '../principal.js'
import { parseReturnTo, pathTo, type Site } from '../site.js'
import { mintToken, type Token, type TokenRef } from '../tokens.js'
import { isWhole } from '../verify.js'
import type { RouteContext } from './context.js'
import { settleIdentity } from './identity.js'
import { type Outcome, seeOther } from './outcome.js'
import { currentSession, isSignedIn, linkToOpen, withoutSession } from './session.js'

/** Milliseconds that a person has to sign in. */
const SIGN_IN_MS = 10 * 60_000

/** `GET /oauth/start`: binds a sign-in to this browser and its session, and sends the browser to the provider. */
export async function startSignIn(
  context: RouteContext,
  provider: Provider,
  request: Request,
  response: Response,
): Promise<Outcome> {
  const { site, store } = context
  const current = await currentSession(context, request)
  if (isDenied(current)) return withoutSession(context, request, current)
  const { token, session } = current
  const isAgain = isWhole(session, true)
  const signIn = signInOf(request, site, token)
  let url: URL
  try {
    url = await provider.authorizationUrl(redirectUri(site), bindingOf(signIn, provider.id, isAgain))
  } catch (error) {
    // Down, or its metadata is another issuer's: the person cannot be sent there.
    return unavailableBy(error, 'oauth_provider')
  }
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
  if (signIn === undefined) return withoutSignIn(context, request, 'state')
  // Checked before it is taken: an answer to another sign-in does not end the one that is under way.
  const { state } = request.query
  if (typeof state !== 'string' || !isStateOf(state, signIn, provider)) return refuseAnswer(context, request, 'state')
  const taken = await store.takeOAuth(signIn)
  expireCookie(response, site.cookies.signIn)
  if (taken === undefined) return withoutSignIn(context, request, 'replayed')
  let identity: SettingsIdentity
  try {
    identity = await provider.identify(answerOf(request, site), bindingOf(signIn, provider.id, taken.isAgain))
  } catch (error) {
    if (isUnavailable(error) || isBug(error)) return unavailableBy(error, 'oauth_provider')
    return refuseAnswer(context, request, causeOf(error))
  }
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

function redirectUri(site: Site): string {
  return `${site.origin}${pathTo(site, '/oauth/callback')}`
}

function isStateOf(state: string, signIn: Token, provider: Provider): boolean {
  return secretsEqual(state, bindingOf(signIn, provider.id, false).state)
}

/** The provider's answer, at the address that we gave the provider and never at the one that `Host` tells. */
function answerOf({ originalUrl }: Request, site: Site): URL {
  const query = originalUrl.indexOf('?')
  return new URL(redirectUri(site) + (query === -1 ? '' : originalUrl.slice(query)))
}

/**
 * No sign-in is under way here. Where the person is signed in, another tab was faster: nothing is done, and they see their
 * settings.
 */
async function withoutSignIn(context: RouteContext, request: Request, cause: string): Promise<Outcome> {
  if (await isSignedIn(context, request)) return seeOther(pathTo(context.site, ''))
  return refuseAnswer(context, request, cause)
}

/** Nothing that the provider or a stranger wrote is shown; the event has the name of what was wrong. */
async function refuseAnswer(context: RouteContext, request: Request, cause: string): Promise<Outcome> {
  const refusal = denied('sign_in_failed', { detail: { attributes: { cause } } })
  const { site, provider } = context
  const current = await currentSession(context, request)
  if (!isDenied(current)) {
    return isWhole(current.session, provider !== undefined)
      ? { ...refusal, link: { href: pathTo(site, ''), text: 'Continue to your settings' } }
      : { ...refusal, link: { href: pathTo(site, '/oauth/start'), text: 'Try again' } }
  }
  return { ...refusal, words: OTHER_BROWSER_WORDS, link: linkToOpen(request, site) }
}

function causeOf(error: unknown): string {
  const { error: named, code, cause } = error as { error?: unknown; code?: unknown; cause?: Cause }
  const claim = cause?.claim ?? cause?.cause?.claim
  const name = [named, code].find((value) => typeof value === 'string' && /^[A-Za-z_]{1,64}$/.test(value))
  return `${name ?? 'answer'}${typeof claim === 'string' ? ` ${claim}` : ''}`
}

/** openid-client wraps what its core says of a claim, once or twice. */
interface Cause {
  readonly claim?: unknown
  readonly cause?: { readonly claim?: unknown } | undefined
}
