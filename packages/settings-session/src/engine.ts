import type { AuditEventInput } from '@countersign/core/gate-kit'
import { hostCookie } from './cookies.js'
import { createProvider, type Provider } from './oauth/provider.js'
import type { ResolvedSettingsOptions } from './options.js'
import { principalId, type SettingsSessionPrincipal } from './principal.js'
import type { SessionLimits, StoredSession } from './stores/store.js'
import { derive } from './tokens.js'

/** What the routes and the gate share: the options, and what follows from them. */
export interface Engine {
  readonly options: ResolvedSettingsOptions
  /** `https://host[:port]`, as browsers send it in `Origin`. */
  readonly origin: string
  /** The path of `baseUrl`: `/settings`, or nothing at the root. */
  readonly path: string
  readonly limits: SessionLimits
  readonly cookies: Readonly<Record<'session' | 'open' | 'signIn' | 'device', string>>
  /** Where people sign in; undefined where the link is enough. */
  readonly provider: Provider | undefined
  emit(event: AuditEventInput): void
}

export function createEngine(options: ResolvedSettingsOptions): Engine {
  const { baseUrl, cookieName, idleTtlMs, sessionTtlMs, maxSessions, audit, oauth } = options
  return {
    options,
    origin: baseUrl.origin,
    path: baseUrl.pathname === '/' ? '' : baseUrl.pathname,
    limits: { idleMs: idleTtlMs, absoluteMs: sessionTtlMs, maxSessions },
    cookies: {
      session: hostCookie(cookieName),
      open: hostCookie(`${cookieName}-open`),
      signIn: hostCookie(`${cookieName}-tx`),
      device: hostCookie(`${cookieName}-device`),
    },
    provider: oauth === undefined ? undefined : createProvider(oauth),
    emit: (event) => {
      if (audit.active) void audit.emit({ gate: 'settings-session', ...event })
    },
  }
}

/**
 * Whether a session opens anything here. One that another engine on the same store made active without an identity is
 * half a session where identity is required: else a stolen link would be opened over there, and its cookie renamed.
 */
export function isWhole({ provider }: Engine, { state, identity }: StoredSession): boolean {
  return state === 'active' && (provider === undefined || identity !== undefined)
}

/** The path and query of one of our pages. */
export function pathTo(
  engine: Engine,
  page: '' | '/open' | '/oauth/start' | '/oauth/callback' | '/telegram' | '/waiting',
): string {
  return `${engine.path}${page}` || '/'
}

export function principalOfSession({ id, user, agentId, identity }: StoredSession): SettingsSessionPrincipal {
  const { platform, team, userId } = user
  return Object.freeze({
    kind: 'settings-session',
    id: principalId(user),
    sessionId: id,
    platform,
    ...(team === undefined ? {} : { team }),
    userId,
    ...(agentId === undefined ? {} : { agentId }),
    ...(identity === undefined ? {} : { identity: Object.freeze({ ...identity }) }),
  })
}

/** The token that an unsafe request of a session carries where its headers do not say where it comes from. */
export function csrfTokenOf(sessionToken: string): string {
  return derive(sessionToken, 'csrf')
}

/** The event's view of a user that is proven. */
export const eventPrincipal = (session: Pick<StoredSession, 'user'>) => ({
  kind: 'settings-session',
  id: principalId(session.user),
})
