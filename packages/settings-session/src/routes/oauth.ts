import { secretsEqual } from '@countersign/core/gate-kit'
import type { Request, Response } from 'express'
import { expireCookie, onlyCookie, setCookie } from '../cookies.js'
import { type Engine, isWhole, pathTo } from '../engine.js'
import { isProviderOutage, type Provider } from '../oauth/provider.js'
import { bindingOf } from '../oauth/sign-in.js'
import type { SettingsIdentity } from '../principal.js'
import { parseReturnTo } from '../return-to.js'
import type { TakenSignIn } from '../stores/store.js'
import { mintToken, parseToken, type Token } from '../tokens.js'
import { answerUnavailable, refuse } from './answers.js'
import { settleIdentity } from './identity.js'
import { isSignedIn, readSession } from './session-response.js'

/** Milliseconds that a person has to sign in. */
const SIGN_IN_MS = 10 * 60_000

const redirectUri = (engine: Engine) => `${engine.origin}${pathTo(engine, '/oauth/callback')}`

/** `GET /oauth/start`: binds a sign-in to this browser and its session, and sends the browser to the provider. */
export async function startSignIn(
  engine: Engine,
  provider: Provider,
  request: Request,
  response: Response,
): Promise<void> {
  const read = await readSession(engine, request)
  if (read === undefined) return refuse(engine, request, response, { reason: 'missing' })
  const { token, result } = read
  if (result.outcome === 'refused') return refuse(engine, request, response, { reason: result.reason })
  const isAgain = isWhole(engine, result.session)
  // Under the session's own tag: a session has one sign-in under way, however often it begins one.
  const signIn = mintToken('t', token.tag)
  let url: URL
  try {
    url = await provider.authorizationUrl(redirectUri(engine), bindingOf(signIn, provider.id, isAgain))
  } catch {
    // Down, or its metadata is not that of the issuer that was configured: nobody can be sent there.
    return answerUnavailable(engine, request, response, 'identity_provider')
  }
  await engine.options.store.beginOAuth({
    ref: signIn,
    session: token,
    isAgain,
    returnTo: parseReturnTo(request.query.returnTo, engine.origin, engine.path),
    ttlMs: SIGN_IN_MS,
  })
  setCookie(response, engine.cookies.signIn, signIn.text, { maxAgeSeconds: SIGN_IN_MS / 1000 })
  response.setHeader('Cache-Control', 'no-store')
  response.redirect(302, url.href)
}

/** `GET /oauth/callback`: takes the sign-in of this browser, once, and settles who came back. */
export async function finishSignIn(
  engine: Engine,
  provider: Provider,
  request: Request,
  response: Response,
): Promise<void> {
  const signIn = parseToken('t', onlyCookie(request, engine.cookies.signIn))
  // Checked before it is taken: an answer to another question does not end the one that is under way.
  const { state } = request.query
  if (signIn === undefined || typeof state !== 'string' || !isStateOf(state, signIn, provider)) {
    return refuseAnswer(engine, request, response, 'state')
  }
  const taken = await engine.options.store.takeOAuth(signIn)
  expireCookie(response, engine.cookies.signIn)
  if (taken === undefined) return refuseAnswer(engine, request, response, 'replayed')
  let identity: SettingsIdentity
  try {
    identity = await identify(engine, provider, request, signIn, taken)
  } catch (error) {
    if (isProviderOutage(error)) return answerUnavailable(engine, request, response, 'identity_provider')
    return refuseAnswer(engine, request, response, causeOf(error))
  }
  await settleIdentity(engine, request, response, {
    ...taken,
    identity,
    mayEstablish: engine.options.firstClaim === 'trust-link',
  })
}

function isStateOf(state: string, signIn: Token, provider: Provider): boolean {
  return secretsEqual(state, bindingOf(signIn, provider.id, false).state)
}

/** The answer is read at the address that we gave the provider, never at the one that `Host` tells. */
function identify(engine: Engine, provider: Provider, request: Request, signIn: Token, { isAgain }: TakenSignIn) {
  const query = request.originalUrl.indexOf('?')
  const answer = new URL(redirectUri(engine) + (query === -1 ? '' : request.originalUrl.slice(query)))
  return provider.identify(answer, bindingOf(signIn, provider.id, isAgain))
}

/** Nothing of what the provider or a stranger wrote is shown; the event has the name of what was wrong. */
async function refuseAnswer(engine: Engine, request: Request, response: Response, cause: string): Promise<void> {
  const link = (await isSignedIn(engine, request))
    ? { href: pathTo(engine, ''), text: 'Go on to your settings' }
    : { href: pathTo(engine, '/oauth/start'), text: 'Try again' }
  refuse(engine, request, response, { reason: 'sign_in_failed', event: { attributes: { cause } }, link })
}

function causeOf(error: unknown): string {
  const { error: named, code, cause } = error as { error?: unknown; code?: unknown; cause?: { claim?: unknown } }
  const claim = typeof cause?.claim === 'string' ? ` ${cause.claim}` : ''
  const name = [named, code].find((value) => typeof value === 'string' && /^[A-Za-z_]{1,64}$/.test(value))
  return `${name ?? 'answer'}${claim}`
}
