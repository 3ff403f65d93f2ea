import { randomBytes } from 'node:crypto'
import type { Audit } from '@countersign/core'
import type { Request } from 'express'
import { confirmBinding, unlink } from './bindings.js'
import { tokenInCookie } from './cookies.js'
import { csrfTokenOf } from './csrf.js'
import { grantChange, reportChange } from './events.js'
import { givenIdentity, givenText, givenUser, misuse, operatorIn } from './given.js'
import { deliver, type SendToUser } from './links/deliver.js'
import { issueLink, type LinkRequest } from './links/issue-link.js'
import type { LinkKinds, NoKinds } from './links/kinds.js'
import type { LinkReceipt, SensitiveLink } from './links/receipts.js'
import { createProvider } from './oauth/provider.js'
import { resolveSettingsOptions, type SettingsRegistry, type SettingsSessionsOptions } from './options.js'
import { keepParts } from './parts.js'
import {
  principalOfSession,
  type SettingsIdentity,
  type SettingsSessionPrincipal,
  type SettingsUser,
} from './principal.js'
import { createRouter } from './routes/router.js'
import { closeSockets, type SocketWatch, watchSockets } from './session-watch.js'
import { memorySessions } from './store/memory.js'
import type { Binding, IdentityStore, SessionStore, StoredSession } from './store/port.js'
import { isTag } from './tokens.js'

/** An active session, as `list` returns it. */
export interface SessionSummary {
  /** The session's public id. */
  readonly id: string
  /** The person. */
  readonly principal: SettingsSessionPrincipal
  /** The kind of link that opened it. */
  readonly kind: string
  readonly createdAt: Date
  readonly lastSeenAt: Date
  readonly expiresAt: Date
}

/** The kind that a link request names. */
type KindOf<R> = R extends { readonly kind: infer K extends string } ? K : 'settings'

/**
 * Links and sessions of one app: what {@link createSettingsSessions} makes. Every method rejects with an `OptionError` when it
 * is called wrongly, before anything is changed or recorded: a user is a platform, a team where there is one, and a user id,
 * each a string. A principal of the gate is a user, too.
 */
export interface SettingsSessions<M extends object = NoKinds> extends SettingsRegistry {
  /**
   * Makes a link. It opens one session, once.
   *
   * @throws {OptionError} for a wrong request. Rejects with an `UnavailableError` when the store cannot be asked, and when
   * a required audit sink did not record the link.
   */
  issueLink<const R extends LinkRequest<M>>(request: R): Promise<SensitiveLink<KindOf<R>>>
  /**
   * Hands a link to its user and returns the receipt that an agent may see. Never rejects for what `send` does: `delivered`
   * says it.
   */
  deliver<K extends string>(link: SensitiveLink<K>, send: SendToUser): Promise<LinkReceipt<K>>
  /** The user's active sessions, oldest first. */
  list(user: SettingsUser): Promise<readonly SessionSummary[]>
  /**
   * Ends all sessions of a user and voids the user's links, immediately, those under way included. `operator` is who asked for
   * it: the attribute of that name in its event.
   */
  revokeAll(user: SettingsUser, options?: { readonly operator?: string | undefined }): Promise<void>
  /**
   * The app's answer to a first claim that `onFirstClaim` left open. False when no claim waits under this id: it was
   * answered, or its person has signed in as somebody else since.
   */
  answerFirstClaim(claimId: string, isAllowed: boolean): Promise<boolean>
  /** The identity that is bound to a user. */
  identityOf(user: SettingsUser): Promise<SettingsIdentity | undefined>
  /** Unbinds a user from their identity, and ends the user's sessions. False when none was bound. */
  unlink(user: SettingsUser): Promise<boolean>
  /**
   * Binds a user to an identity, in place of the one before, and ends the user's sessions. Rejects with an
   * `UnavailableError` (`audit_sink`) when a required audit sink did not record it: then the one before is bound again.
   */
  rebind(user: SettingsUser, identity: SettingsIdentity): Promise<'bound' | 'taken' | 'contended'>
  /**
   * The token that a form or a request of the page on this session carries, in the field `_csrf` or the header
   * `X-CSRF-Token`, for browsers that send neither `Sec-Fetch-Site` nor `Origin`. Undefined without a session cookie.
   */
  csrfToken(request: Request): string | undefined
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
/** Makes the links and sessions of an app whose links have no kinds of their own. */
export function createSettingsSessions(options: SettingsSessionsOptions): SettingsSessions
export function createSettingsSessions(options: SettingsSessionsOptions): SettingsSessions {
  const resolved = resolveSettingsOptions(options)
  const { site, limits, linkTtlMs, confirmCode, kinds, identities, maySignIn, onOpen, pages, telegram, audit, clock } =
    resolved
  const store = resolved.store ?? memorySessions({ clock })
  const sockets = watchSockets(store, audit)
  const provider = resolved.oauth === undefined ? undefined : createProvider(resolved.oauth)
  const issuer = { site, store, kinds, linkTtlMs, sessionTtlMs: limits.absoluteMs, confirmCode, audit }
  const context = {
    site,
    store,
    limits,
    provider,
    identities,
    maySignIn,
    kinds,
    onOpen,
    onNotMe: resolved.onNotMe,
    sockets,
    audit,
    clock,
    route: resolved.route,
  }

  const settings: SettingsSessions = Object.freeze({
    issueLink: (request: unknown) => issueLink<never>(issuer, request),
    deliver: <K extends string>(link: SensitiveLink<K>, send: SendToUser) => deliver(audit, link, send),
    routes: () => createRouter(context, { pages, name: resolved.route }, telegram),
    ...sessionsOf(store, sockets, audit),
    ...identitiesOf(store, sockets, audit),
    csrfToken: (request: Request) => {
      const token = tokenInCookie(request, site.cookies.session, 's')
      return token === undefined ? undefined : csrfTokenOf(token.text)
    },
  })
  keepParts(settings, { site, store, pages, providerName: provider?.name, maySignIn, sockets, audit })
  return settings
}

function sessionsOf(
  store: SessionStore,
  sockets: SocketWatch,
  audit: Audit,
): Pick<SettingsSessions, 'list' | 'revoke' | 'revokeAll'> {
  return {
    list: async (user) => (await store.list(givenUser('list', user))).map(summaryOf),
    async revoke(id, options) {
      const sessionId = givenText('revoke', 'sessionId', id)
      const attributes = operatorIn('revoke', options)
      const ended = isTag(sessionId) ? await store.revoke(sessionId) : undefined
      if (ended === undefined) return false
      closeSockets(sockets, ended.user)
      reportChange(audit, 'settings.session.revoked', { user: ended.user, id: sessionId, attributes })
      return true
    },
    async revokeAll(whom, options) {
      const user = givenUser('revokeAll', whom)
      const operator = operatorIn('revokeAll', options)
      await store.revokeAll(user)
      closeSockets(sockets, user)
      reportChange(audit, 'settings.session.revoked', { user, attributes: { all: true, ...operator } })
    },
  }
}

function summaryOf(session: StoredSession): SessionSummary {
  const { id, kind, createdAt, lastSeenAt, expiresAt } = session
  return {
    id,
    principal: principalOfSession(session),
    kind,
    createdAt: new Date(createdAt),
    lastSeenAt: new Date(lastSeenAt),
    expiresAt: new Date(expiresAt),
  }
}

type Identities = Pick<SettingsSessions, 'answerFirstClaim' | 'identityOf' | 'unlink' | 'rebind'>

function identitiesOf(store: IdentityStore, sockets: SocketWatch, audit: Audit): Identities {
  const parts = { store, sockets, audit }

  /** As it was before a rebinding that was not recorded; the identity of before may be another user's by now. */
  async function undoRebind(user: SettingsUser, attempt: string, former: Binding | undefined): Promise<void> {
    if (former === undefined || (await store.rebind(user, former, attempt)).outcome !== 'bound') {
      await unlink(parts, user, 'audit_sink', attempt)
      return
    }
    const attributes = { issuer: former.identity.issuer, by: 'audit_sink' }
    reportChange(audit, 'settings.identity.claimed', { user, attributes })
  }

  return {
    async answerFirstClaim(claimId, isAllowed) {
      const [sessionId, key = ''] = givenText('answerFirstClaim', 'claimId', claimId).split('.')
      // Neither a yes nor a no: what a chat sends with a button is a text.
      if (typeof isAllowed !== 'boolean') throw misuse('answerFirstClaim', 'isAllowed', 'must be true or false')
      if (!isTag(sessionId) || !(await store.answerClaim(sessionId, key, isAllowed))) return false
      const attributes = { allowed: isAllowed, by: 'app' }
      reportChange(audit, 'settings.identity.answered', { id: sessionId, attributes })
      return true
    },
    identityOf: async (user) => store.identityOf(givenUser('identityOf', user)),
    unlink: async (user) => unlink(parts, givenUser('unlink', user), 'app'),
    async rebind(whom, who) {
      const [user, identity] = [givenUser('rebind', whom), givenIdentity('rebind', who)]
      const attempt = randomBytes(12).toString('base64url')
      const result = await store.rebind(user, { identity, attempt })
      if (result.outcome !== 'bound') return result.outcome
      closeSockets(sockets, user)
      const attributes = { issuer: identity.issuer, by: 'app' }
      const undo = () => undoRebind(user, attempt, result.former)
      const recording = grantChange(audit, 'settings.identity.claimed', { user, attributes }, undo)
      reportChange(audit, 'settings.session.revoked', { user, attributes: { all: true, cause: 'rebound' } })
      await recording
      await confirmBinding(store, user, { identity, attempt })
      return result.outcome
    },
  }
}
