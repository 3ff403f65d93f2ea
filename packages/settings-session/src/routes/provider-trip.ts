import {
  denied,
  isBug,
  isDenied,
  isUnavailable,
  secretsEqual,
  type Unavailable,
  unavailableBy,
} from '@countersign/core/gate-kit'
import type { Request } from 'express'
import type { Provider, SignInBinding } from '../oauth/provider.js'
import { bindingOf } from '../oauth/sign-in.js'
import { OTHER_BROWSER_WORDS } from '../pages/texts.js'
import type { SettingsIdentity } from '../principal.js'
import type { SettingsSessionDependency } from '../reasons.js'
import { pathTo, type Site } from '../site.js'
import type { Token } from '../tokens.js'
import { isWhole } from '../verify.js'
import type { RouteContext } from './context.js'
import type { Outcome } from './outcome.js'
import { currentSession, linkToOpen } from './session.js'

// The way to the provider and back, the same for a sign-in of a session and for one without.

/** Milliseconds that a person has to sign in. */
export const SIGN_IN_MS: number = 10 * 60_000

/** Where the browser goes to sign in. */
export async function whereToSignIn(
  site: Site,
  provider: Provider,
  binding: SignInBinding,
): Promise<URL | Unavailable<SettingsSessionDependency>> {
  try {
    return await provider.authorizationUrl(redirectUri(site), binding)
  } catch (error) {
    // Down, or its metadata is another issuer's: the person cannot be sent there.
    return unavailableBy(error, 'oauth_provider')
  }
}

/** Who the provider says has signed in, or why nobody has. */
export async function whoSignedIn(
  context: RouteContext,
  provider: Provider,
  request: Request,
  binding: SignInBinding,
): Promise<SettingsIdentity | Outcome> {
  try {
    return await provider.identify(answerOf(request, context.site), binding)
  } catch (error) {
    if (isUnavailable(error) || isBug(error)) return unavailableBy(error, 'oauth_provider')
    return refuseAnswer(context, request, causeOf(error))
  }
}

function redirectUri(site: Site): string {
  return `${site.origin}${pathTo(site, '/oauth/callback')}`
}

/** Whether the provider's answer is to this sign-in. */
export function isAnswerTo(signIn: Token, provider: Provider, { query: { state } }: Request): boolean {
  return typeof state === 'string' && secretsEqual(state, bindingOf(signIn, provider.id, false).state)
}

/** The provider's answer, at the address that we gave the provider and never at the one that `Host` tells. */
function answerOf({ originalUrl }: Request, site: Site): URL {
  const query = originalUrl.indexOf('?')
  return new URL(redirectUri(site) + (query === -1 ? '' : originalUrl.slice(query)))
}

/** Nothing that the provider or a stranger wrote is shown; the event has the name of what was wrong. */
export async function refuseAnswer(context: RouteContext, request: Request, cause: string): Promise<Outcome> {
  const refusal = denied('sign_in_failed', { detail: { attributes: { cause } } })
  const { site, provider } = context
  const current = await currentSession(context, request)
  if (!isDenied(current) && isWhole(current.session, provider !== undefined)) {
    return { ...refusal, link: { href: pathTo(site, ''), text: 'continueToSettings' } }
  }
  if (isDenied(current) && (cause === 'state' || cause === 'replayed')) {
    return { ...refusal, words: OTHER_BROWSER_WORDS, link: linkToOpen(request, site) }
  }
  return { ...refusal, link: { href: pathTo(site, '/oauth/start'), text: 'tryAgain' } }
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
