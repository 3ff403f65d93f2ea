import { defineGate, type Gate } from '@countersign/core'
import { authenticate } from './authenticate.js'
import { challenge } from './challenge.js'
import { cookieValues } from './cookies.js'
import { type RequireSettingsSessionOptions, resolveGateOptions } from './gate-options.js'
import type { SettingsSessionPrincipal } from './principal.js'
import { reasons } from './reasons.js'
import { asPage } from './routes/answers.js'

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
      asPage(engine, request, answer, verdict.outcome === 'denied' ? verdict.reason : verdict.dependency),
    options: resolved,
  })
}
