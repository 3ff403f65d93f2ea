import type { Gate } from '@countersign/core'
import { defineGate, isUpgrade, memberOf } from '@countersign/core/gate-kit'
import type { Request } from 'express'
import { tellOfOrder } from './mount.js'
import { type RequireSettingsSessionOptions, resolveGateOptions } from './options.js'
import { asErrorPage, type PageLink } from './pages/error-page.js'
import { COME_BACK_WORDS, DENIED_WORDS } from './pages/texts.js'
import type { SettingsSessionPrincipal } from './principal.js'
import { readSession } from './read.js'
import {
  challengesOf,
  dependencies,
  reasons,
  type SettingsSessionDependency,
  type SettingsSessionReason,
} from './reasons.js'
import { parseReturnTo, pathTo } from './site.js'
import type { Token } from './tokens.js'
import { meetDemands, type VerifiedSession, verifySession } from './verify.js'

/**
 * Requires the session of a person who opened a link from a chat. Attaches {@link SettingsSessionPrincipal}. Answers 401
 * without a live session, 403 to a request of another site and to a session whose person has not proved who they are, or
 * not lately, 400 to a link in the query, 503 when the store cannot be asked. Browsers get a page, programs a problem
 * document.
 *
 * @throws {OptionError} at creation.
 * @example
 * app.use('/settings', settings.routes())
 * app.use('/settings', requireSettingsSession({ settings }), settingsPages)
 */
export function requireSettingsSession(options: RequireSettingsSessionOptions): Gate<SettingsSessionPrincipal> {
  const { parts, demands, recheckMs, gate } = resolveGateOptions(options)
  const { site, store, pages, providerName, maySignIn, sockets } = parts
  const signInPath = providerName === undefined ? undefined : pathTo(site, '/oauth/start')
  const verifier = { store, clock: gate.clock, signInPath }

  const leadsToSignIn = (reason: SettingsSessionReason) => reason === 'awaiting_identity' || reason === 'stale'
  // What a sign-in alone opens is a session for the settings.
  const canReturn = (reason: SettingsSessionReason) =>
    maySignIn && demands.kinds.includes('settings') && DENIED_WORDS[reason] === DENIED_WORDS.missing

  /** For a person who only has to sign in: the way there and, after a navigation, back here. */
  const signInLink = (reason: SettingsSessionReason, request: Request): PageLink | undefined => {
    if (signInPath === undefined || !(leadsToSignIn(reason) || canReturn(reason))) return undefined
    const place = request.method === 'GET' ? parseReturnTo(request.originalUrl, site) : undefined
    const query = place === undefined ? '' : `?returnTo=${encodeURIComponent(place)}`
    return { href: `${signInPath}${query}`, text: ['signInWith', { provider: providerName ?? '' }] }
  }

  return defineGate<Token, SettingsSessionPrincipal, SettingsSessionReason, SettingsSessionDependency>({
    name: 'settings-session',
    middleware: 'requireSettingsSession',
    reads: ['cookie'],
    recognises: 'own',
    read: (request) => readSession(request, site.cookies.session),
    verify: (token, request) => verifySession(token, request as Request, demands, verifier),
    // What `verify` granted is handed to `demand` as it is, of an earlier gate of this registry, too.
    demand: (verdict, token, request) =>
      meetDemands(verdict as VerifiedSession, token, request as Request, demands, signInPath),
    decided: (verdict, _token, request) => {
      if (verdict.outcome !== 'granted') return
      if (isUpgrade(request)) sockets.watch(request.socket, verdict.principal, recheckMs)
      else keepFromCaches(request)
    },
    verifier: memberOf(options, 'settings') as object,
    dependencies,
    reasons,
    challenge: challengesOf,
    shape: (answer, refusal, request) => {
      // A failure is never shaped.
      if (refusal.outcome === 'failed') return answer
      if (refusal.outcome === 'denied') tellOfOrder(request, site)
      const link = refusal.outcome === 'denied' ? signInLink(refusal.reason, request) : undefined
      // A form that was sent too late is not sent again by a sign-in.
      const comesBack = refusal.outcome === 'denied' && request.method === 'GET' && canReturn(refusal.reason)
      return asErrorPage(answer, refusal, request, pages, link, comesBack ? COME_BACK_WORDS : undefined)
    },
    options: gate,
  })
}

/** What a person sees behind the gate is in no cache, so that Back shows none of it after signing out. The handler's own header replaces ours. */
function keepFromCaches({ res: response }: Request): void {
  if (response?.headersSent === false) response.setHeader('Cache-Control', 'no-store')
}
