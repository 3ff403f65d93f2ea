import type { Request, Router } from 'express'
import { onlyCookie } from './cookies.js'
import { deliver, type SendToUser } from './deliver.js'
import { createEngine, csrfTokenOf, type Engine, principalOfSession } from './engine.js'
import type { LinkKinds } from './kinds.js'
import { issueLink, type LinkRequest } from './links.js'
import { type NoKinds, resolveSettingsOptions, type SettingsSessionsOptions } from './options.js'
import { principalId, type SettingsIdentity, type SettingsSessionPrincipal, type SettingsUser } from './principal.js'
import type { LinkReceipt, SensitiveLink } from './receipts.js'
import { createRouter } from './routes/router.js'
import { isTag, parseToken } from './tokens.js'

/** An active session, as `list` tells of it. */
export interface SessionSummary {
  /** The session's public id. */
  readonly id: string
  readonly principal: SettingsSessionPrincipal
  readonly kind: string
  readonly createdAt: Date
  readonly lastSeenAt: Date
  readonly expiresAt: Date
}

/** The kind that a link request names. */
type KindOf<R> = R extends { readonly kind: infer K extends string } ? K : 'settings'

/** Links and sessions of one app: what {@link createSettingsSessions} makes. */
export interface SettingsSessions<M extends object = NoKinds> {
  /**
   * Makes a link. It opens one session, once.
   *
   * @throws {OptionError} for a request that is wrong. Rejects with a `UnavailableError` when the store is down.
   */
  issueLink<const R extends LinkRequest<M>>(request: R): Promise<SensitiveLink<KindOf<R>>>
  /** Hands a link to its user and returns the receipt that an agent may see. Never rejects. */
  deliver<K extends string>(link: SensitiveLink<K>, send: SendToUser): Promise<LinkReceipt<K>>
  /** The routes that lead to a session and out of it. Mount them at the path of `baseUrl`, before the gate. */
  routes(): Router
  /** The user's active sessions, oldest first. */
  list(user: SettingsUser): Promise<readonly SessionSummary[]>
  /** Ends a session by its public id, at once. False when there is none that lives. */
  revoke(sessionId: string): Promise<boolean>
  /** Ends all sessions of a user and voids the user's links, at once: those under way included. */
  revokeAll(user: SettingsUser): Promise<void>
  /**
   * The app's answer to a first claim that `onFirstClaim` left open. False when none waits under this id: it was answered,
   * or its person has signed in as somebody else since.
   */
  answerFirstClaim(claimId: string, isAllowed: boolean): Promise<boolean>
  /** The identity that is bound to a user. */
  identityOf(user: SettingsUser): Promise<SettingsIdentity | undefined>
  /** Parts a user and their identity, and ends the user's sessions. False when there was none. */
  unlink(user: SettingsUser): Promise<boolean>
  /** Binds a user to an identity, in place of the one before, and ends the user's sessions. */
  rebind(user: SettingsUser, identity: SettingsIdentity): Promise<'bound' | 'taken' | 'contended'>
  /**
   * The token that a form or a request of the page on this session carries, in the field `_csrf` or the header
   * `X-CSRF-Token`, for browsers that send neither `Sec-Fetch-Site` nor `Origin`. Undefined without a session cookie.
   */
  csrfToken(request: Request): string | undefined
}

const engines = new WeakMap<object, Engine>()

/** The engine behind what {@link createSettingsSessions} made; undefined for anything else. */
export function engineOf(settings: object): Engine | undefined {
  return engines.get(settings)
}

/**
 * Makes the links and sessions of an app.
 *
 * @throws {OptionError} at creation.
 * @example
 * const settings = createSettingsSessions({ baseUrl: 'https://app.example.com/settings', store: redisSessions(redis) })
 * app.use('/settings', settings.routes())
 * app.use('/settings', requireSettingsSession({ settings }), settingsPages)
 */
export function createSettingsSessions<M extends object>(
  options: SettingsSessionsOptions<M> & { readonly kinds: LinkKinds<M> },
): SettingsSessions<M>
export function createSettingsSessions(options: SettingsSessionsOptions): SettingsSessions
export function createSettingsSessions(options: SettingsSessionsOptions): SettingsSessions {
  const engine = createEngine(resolveSettingsOptions(options))
  const { store } = engine.options

  const settings: SettingsSessions = {
    issueLink: (request) => issueLink(engine, request),
    deliver: (link, send) => deliver(engine, link, send),
    routes: () => createRouter(engine),
    async list(user) {
      const sessions = await store.list(user)
      return sessions.map((session) => ({
        id: session.id,
        principal: principalOfSession(session),
        kind: session.kind,
        createdAt: new Date(session.createdAt),
        lastSeenAt: new Date(session.lastSeenAt),
        expiresAt: new Date(session.expiresAt),
      }))
    },
    async revoke(sessionId) {
      const ended = isTag(sessionId) ? await store.revoke(sessionId) : undefined
      if (ended === undefined) return false
      emitRevoked(engine, ended.user, { id: sessionId })
      return true
    },
    async revokeAll(user) {
      await store.revokeAll(user)
      emitRevoked(engine, user)
    },
    async answerFirstClaim(claimId, isAllowed) {
      const [sessionId, key = ''] = String(claimId).split('.')
      return isTag(sessionId) ? await store.answerClaim(sessionId, key, isAllowed === true) : false
    },
    identityOf: async (user) => store.identityOf(user),
    async unlink(user) {
      const identity = await store.unlink(user)
      if (identity !== undefined) emitIdentity(engine, 'settings.identity.unlinked', user, identity)
      return identity !== undefined
    },
    async rebind(user, identity) {
      const outcome = await store.rebind(user, identity)
      if (outcome === 'bound') emitIdentity(engine, 'settings.identity.claimed', user, identity)
      return outcome
    },
    csrfToken(request) {
      const token = parseToken('s', onlyCookie(request, engine.cookies.session))
      return token === undefined ? undefined : csrfTokenOf(token.text)
    },
  }
  engines.set(settings, engine)
  return Object.freeze(settings)
}

function emitRevoked(engine: Engine, user: SettingsUser, credential?: { readonly id: string }): void {
  engine.emit({
    type: 'settings.session.revoked',
    owasp: 'session_terminated',
    principal: { kind: 'settings-session', id: principalId(user) },
    credential,
    ...(credential === undefined ? { attributes: { all: true } } : {}),
  })
}

function emitIdentity(
  engine: Engine,
  type: 'settings.identity.claimed' | 'settings.identity.unlinked',
  user: SettingsUser,
  { issuer }: SettingsIdentity,
): void {
  const principal = { kind: 'settings-session', id: principalId(user) }
  engine.emit({ type, owasp: 'user_updated', principal, attributes: { issuer, by: 'app' } })
}
