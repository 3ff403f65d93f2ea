import type { Gate } from '@countersign/core'
import { defineGate } from '@countersign/core/gate-kit'
import type { Request } from 'express'
import { authenticate } from './authenticate.js'
import { challenge } from './challenge.js'
import { cookieValues } from './cookies.js'
import { type Engine, pathTo } from './engine.js'
import { type RequireSettingsSessionOptions, resolveGateOptions } from './gate-options.js'
import type { SettingsSessionPrincipal } from './principal.js'
import { reasons, type SettingsSessionReason } from './reasons.js'
import { parseReturnTo } from './return-to.js'
import { asPage, type Link } from './routes/answers.js'

/**
 * Requires the session of a person who opened a link from a chat. Attaches {@link SettingsSessionPrincipal}. Answers 401
 * without a session that lives, 403 for a request of another site, for a session whose person has not proved who they
 * are, or not lately, 400 for a link where none belongs, 503 when the store cannot be asked; a page where a page was
 * asked for.
 *
 * @throws {OptionError} at creation.
 * @example
 * app.use('/settings', settings.routes())
 * app.use('/settings', requireSettingsSession({ settings }), settingsPages)
 */
export function requireSettingsSession(options: RequireSettingsSessionOptions): Gate<SettingsSessionPrincipal> {
  const resolved = resolveGateOptions(options)
  const { engine } = resolved
  return defineGate({
    scheme: 'settings-session',
    reads: ['cookie'],
    presents: (request) => cookieValues(request, engine.cookies.session).length > 0,
    authenticate: (request) => authenticate(request, resolved),
    reasons,
    challenge: (verdict) => (verdict === undefined || reasons[verdict.reason].status === 401 ? [challenge] : []),
    answer: (answer, verdict, request) =>
      verdict.outcome === 'denied'
        ? asPage(engine, request, answer, verdict.reason, signInLink(engine, verdict.reason, request))
        : asPage(engine, request, answer, verdict.dependency),
    options: resolved,
  })
}

/** A way on for whom only the sign-in is missing: back here, after a navigation. */
function signInLink(engine: Engine, reason: SettingsSessionReason, request: Request): Link | undefined {
  if (engine.provider === undefined || (reason !== 'awaiting_identity' && reason !== 'stale')) return undefined
  const place = request.method === 'GET' ? parseReturnTo(request.originalUrl, engine.origin, engine.path) : undefined
  const query = place === undefined ? '' : `?returnTo=${encodeURIComponent(place)}`
  return { href: `${pathTo(engine, '/oauth/start')}${query}`, text: `Sign in with ${engine.provider.name}` }
}
