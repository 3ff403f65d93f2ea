import { denied, partitionOf } from '@countersign/core/gate-kit'
import type { Request, Response } from 'express'
import { refuseTooMany } from '../attempts.js'
import { expireCookie, onlyCookie, setCookie } from '../cookies.js'
import { siteOf } from '../csrf.js'
import type { Provider } from '../oauth/provider.js'
import { bindingOf } from '../oauth/sign-in.js'
import { COME_BACK_WORDS, type ErrorWords, NOT_BOUND_WORDS, SEVERAL_WORDS } from '../pages/texts.js'
import { principalId } from '../principal.js'
import { parseReturnTo, pathTo, type Site } from '../site.js'
import { userKey } from '../store/keys.js'
import { mintTag, mintToken, parseToken, TOKEN_LENGTH, type Token } from '../tokens.js'
import type { RouteContext } from './context.js'
import { settleIdentity } from './identity.js'
import type { Outcome } from './outcome.js'
import { isAnswerTo, refuseAnswer, SIGN_IN_MS, whereToSignIn, whoSignedIn } from './provider-trip.js'
import { linkToOpen } from './session.js'

// A person who is bound to a user comes back by a sign-in alone. Until somebody has signed in, all of it is in the browser's
// cookie: a stranger who begins sign-ins leaves nothing in the store.

/** A sign-in without a session. */
export interface Returning {
  readonly token: Token
  readonly returnTo?: string | undefined
}

/** Whether the person may sign in without a session. A link that the browser is opening comes first. */
export function mayReturn({ maySignIn, site }: RouteContext, request: Request): boolean {
  return maySignIn && linkToOpen(request, site) === undefined
}

/** The sign-in without a session that this browser began. */
export function returningIn(request: Request, site: Site): Returning | undefined {
  const value = onlyCookie(request, site.cookies.signIn) ?? ''
  const token = parseToken('r', value.slice(0, TOKEN_LENGTH))
  if (token === undefined) return undefined
  return { token, returnTo: parseReturnTo(Buffer.from(value.slice(TOKEN_LENGTH), 'base64url').toString(), site) }
}

/** To the provider, without a session. Another site can only lead to a page with the button: the person decides. */
export async function startReturning(
  { site }: RouteContext,
  provider: Provider,
  request: Request,
  response: Response,
): Promise<Outcome> {
  const returnTo = parseReturnTo(request.query.returnTo, site)
  if (siteOf(request, site.origin) === 'cross_site') {
    const query = returnTo === undefined ? '' : `?returnTo=${encodeURIComponent(returnTo)}`
    const link = {
      href: `${pathTo(site, '/oauth/start')}${query}`,
      text: ['signInWith', { provider: provider.name }] as const,
    }
    return { ...denied('missing'), words: COME_BACK_WORDS, link }
  }
  // Of two tabs at the provider, either may come back.
  const token = returningIn(request, site)?.token ?? mintToken('r', mintTag(0))
  const url = await whereToSignIn(site, provider, bindingOf(token, provider.id, false))
  if (!(url instanceof URL)) return url
  const place = returnTo === undefined ? '' : Buffer.from(returnTo).toString('base64url')
  setCookie(response, site.cookies.signIn, token.text + place, { maxAgeSeconds: SIGN_IN_MS / 1000 })
  return { outcome: 'redirect', status: 302, to: url.href }
}

/** Back from the provider: opens the settings of the one user to whom the identity is bound. */
export async function finishReturning(
  context: RouteContext,
  provider: Provider,
  request: Request,
  response: Response,
  { token, returnTo }: Returning,
): Promise<Outcome> {
  const { site, store, limits } = context
  if (!isAnswerTo(token, provider, request)) return refuseAnswer(context, request, 'state')
  expireCookie(response, site.cookies.signIn)
  const identity = await whoSignedIn(context, provider, request, bindingOf(token, provider.id, false))
  if ('outcome' in identity) return identity
  const [user, ...others] = await store.returningUsers(identity)
  if (user === undefined) return refuseReturning('no_user', NOT_BOUND_WORDS)
  if (others.length > 0) return refuseReturning('several_users', SEVERAL_WORDS)
  const tooMany = await refuseTooMany(store, 'user', userKey(user))
  if (tooMany !== undefined) return { ...tooMany, detail: { ...tooMany.detail, principalId: principalId(user) } }
  const session = mintToken('s', mintTag(partitionOf(userKey(user))))
  const content = { user, kind: 'settings', returnTo }
  await store.openSession({ ref: session, content, state: 'awaiting_identity', limits })
  // Once more, now that what revokes the user revokes this session too.
  const still = await store.returningUsers(identity)
  if (!still.some((other) => userKey(other) === userKey(user))) {
    await store.revoke(session.tag, session.hash)
    return refuseReturning('no_user', NOT_BOUND_WORDS)
  }
  const proof = { session, identity, isAgain: false, returnTo, mayEstablish: false, by: 'sign_in' } as const
  return settleIdentity(context, request, response, proof)
}

function refuseReturning(cause: string, words: ErrorWords): Outcome {
  return { ...denied('sign_in_failed', { detail: { attributes: { cause } } }), words }
}
