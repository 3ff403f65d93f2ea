import type { Audit, Clock, GateOptions, Middleware } from '@countersign/core'
import { audit as defaultAudit, OptionError } from '@countersign/core'
import {
  gateOptionRules,
  isAsyncFunction,
  isSecureUrl,
  type OptionAliases,
  option,
  resolveOptions,
  systemClock,
} from '@countersign/core/gate-kit'
import type { SameSite } from './cookies.js'
import type { KindValidators, LinkKinds, NoKinds, NotMe, OnOpen } from './links/kinds.js'
import {
  type FirstClaim,
  type IdentityPolicy,
  type Mismatch,
  type OnFirstClaim,
  resolveFirstClaim,
} from './oauth/first-claim.js'
import { type ResolvedOAuth, resolveOAuth } from './oauth/oauth-options.js'
import type { SettingsOAuth } from './oauth/settings-oauth.js'
import { type PageOptions, type ResolvedPages, resolvePages } from './pages/page-options.js'
import { partsOf, type RegistryParts } from './parts.js'
import type { SettingsSessionDependency, SettingsSessionReason } from './reasons.js'
import { createSite, type Site } from './site.js'
import type { SessionLimits, SettingsStore } from './store/port.js'
import { type ResolvedTelegram, resolveTelegram, type SettingsTelegram } from './telegram/telegram-options.js'
import type { SessionDemands } from './verify.js'

/** Options of `createSettingsSessions`. */
export interface SettingsSessionsOptions<M extends object = NoKinds> {
  /** Where the routes are mounted, as browsers reach it: `https://app.example.com/settings`. `Host` is never trusted. */
  readonly baseUrl: string
  /** Default: this process's memory. Give `redisSessions(redis)` to more than one process. */
  readonly store?: SettingsStore | undefined
  /** Seconds in which a link can be opened. Default 600, at most 86 400. */
  readonly linkTtlSeconds?: number | undefined
  /** Seconds that a session lasts, used or not. Default 3600, at most 86 400. */
  readonly sessionTtlSeconds?: number | undefined
  /** Seconds that a session lasts unused. Default 900. */
  readonly idleTimeoutSeconds?: number | undefined
  /** Active sessions that a user may have; beyond it the oldest ends. Default 5. */
  readonly maxSessions?: number | undefined
  /** First part of the cookies' names, after `__Host-`. Default `countersign-settings`. */
  readonly cookieName?: string | undefined
  /** `'strict'` keeps the session's cookie from every navigation that another site began. Default `'lax'`. */
  readonly sameSite?: SameSite | undefined
  /** The page asks for digits that the chat shows, so a forwarded link is not enough. Default false. */
  readonly confirmCode?: boolean | undefined
  /** Where people prove who they are, such as `settingsOAuthFromEnv(process.env)`. Default: the link is enough. */
  readonly oauth?: SettingsOAuth | undefined
  /** Who may be bound to a user first. Needed with `oauth`, unless `confirmCode` or `onFirstClaim` answers it; refused without. */
  readonly firstClaim?: FirstClaim | undefined
  /** Asks the user in the chat whether the person who signed in may become the user. Refused without `oauth`. */
  readonly onFirstClaim?: OnFirstClaim | undefined
  /**
   * `'sign-in'`: who is bound to a user opens that user's settings by signing in, without a new link, unless `revokeAll` ended
   * the user's sessions. Default `'link'`. Refused without `oauth`.
   */
  readonly returning?: 'link' | 'sign-in' | undefined
  /** Called when somebody other than the user opened a link, so that the app can warn the user in the chat. Refused without `oauth`. */
  readonly onMismatch?: ((mismatch: Mismatch) => unknown) | undefined
  /** Called when the person who opened a link said that it is not theirs, so that the app can tell the user in the chat. */
  readonly onNotMe?: ((notMe: NotMe) => unknown) | undefined
  /** Signs people in by what Telegram signed when they open the page from a chat there. */
  readonly telegram?: SettingsTelegram | undefined
  /**
   * Called when a session has become active; may send the person elsewhere. A double click calls it again, for the same
   * session. When it throws, the answer is 503 (`on_open`), or 500 for a bug; the session stays.
   */
  readonly onOpen?: OnOpen<M> | undefined
  /** Kinds of links beside `settings`, each with the function that validates its metadata. */
  readonly kinds?: LinkKinds<M> | undefined
  /** Pages of the app's own, and the look of ours. */
  readonly pages?: PageOptions | undefined
  /** The name of the routes in audit events. Default: the path of `baseUrl` and of the route. */
  readonly route?: string | undefined
  /** Where changes and refusals are reported. Default: the process-wide emitter, `audit`. */
  readonly audit?: Audit | undefined
  /** Default: the system clock. */
  readonly clock?: Clock | undefined
}

/** Options of `requireSettingsSession`. */
export interface RequireSettingsSessionOptions extends GateOptions<SettingsSessionReason, SettingsSessionDependency> {
  /** What `createSettingsSessions` made. */
  readonly settings: SettingsRegistry
  /** The kinds of links whose sessions are accepted. Default `['settings']`. */
  readonly kinds?: readonly string[] | undefined
  /** Seconds that the person's sign-in may be old, 1 to 86 400; beyond it 403 `reauthentication_required`. Default: any age. */
  readonly maxAuthAgeSeconds?: number | undefined
  /** Whether unsafe requests with a body must have one of `application/json`. Default false. */
  readonly requireJson?: boolean | undefined
  /** Seconds after which an open socket learns that its session has ended elsewhere. Default 5. */
  readonly recheckSeconds?: number | undefined
}

/** The part of `SettingsSessions` by which a gate recognises it, whatever its kinds of links. */
export interface SettingsRegistry {
  /** The routes that lead to a session and out of it. Mount them at the path of `baseUrl`, before the gate. */
  routes(): Middleware
  /**
   * Ends a session by its public id, immediately. False when no such session lives. `operator` is who asked for it: the
   * attribute of that name in its event.
   */
  revoke(sessionId: string, options?: { readonly operator?: string | undefined }): Promise<boolean>
}

/** The options of `createSettingsSessions`, validated, by what they are for. */
export interface ResolvedSettings {
  readonly site: Site
  readonly store: SettingsStore | undefined
  readonly linkTtlMs: number
  readonly limits: SessionLimits
  readonly confirmCode: boolean
  readonly kinds: KindValidators
  readonly oauth: ResolvedOAuth | undefined
  readonly identities: IdentityPolicy
  /** Whether a sign-in alone opens the settings of who is bound already. */
  readonly maySignIn: boolean
  readonly telegram: ResolvedTelegram | undefined
  readonly onOpen: OnOpen<NoKinds> | undefined
  readonly onNotMe: ((notMe: NotMe) => unknown) | undefined
  readonly pages: ResolvedPages
  readonly route: string | undefined
  readonly audit: Audit
  readonly clock: Clock
}

/** The options of `requireSettingsSession`, validated, by what they are for. */
export interface ResolvedGate {
  readonly parts: RegistryParts
  readonly demands: SessionDemands
  readonly recheckMs: number
  readonly gate: GateOptions<SettingsSessionReason, SettingsSessionDependency> & { readonly clock: Clock }
}

const DAY_SECONDS = 86_400

const SETTINGS_RULES = {
  baseUrl: option
    .custom<URL>('an https URL without query, or http on localhost', (value) =>
      typeof value === 'string' ? parseBaseUrl(value) : undefined,
    )
    .required(),
  store: option.port<SettingsStore>('a store, such as redisSessions(redis)', 'exchange', 'read', 'revokeAll'),
  linkTtlSeconds: option.seconds(1, DAY_SECONDS).default(600),
  sessionTtlSeconds: option.seconds(1, DAY_SECONDS).default(3600),
  idleTimeoutSeconds: option.seconds(1, DAY_SECONDS).default(900),
  maxSessions: option.integer(1, 100).default(5),
  cookieName: option.string(/^[A-Za-z0-9_-]{1,64}$/, 'letters, digits, _ and -').default('countersign-settings'),
  sameSite: option.oneOf('lax', 'strict').default('lax'),
  confirmCode: option.boolean().default(false),
  kinds: option
    .custom<KindValidators>('an object of kind: function that validates metadata and is not async', (value) =>
      isKinds(value) ? value : undefined,
    )
    .default({}),
  onOpen: option.func<OnOpen<NoKinds>>(),
  oauth: option.port<SettingsOAuth>('what settingsOAuthFromEnv(process.env) returns'),
  firstClaim: option.oneOf('trust-link', 'ask', 'deny'),
  onFirstClaim: option.func<OnFirstClaim>(),
  onMismatch: option.func<(mismatch: Mismatch) => unknown>(),
  returning: option.oneOf('link', 'sign-in').default('link'),
  onNotMe: option.func<(notMe: NotMe) => unknown>(),
  telegram: option.port<SettingsTelegram>('an object of botToken or botId'),
  pages: option.port<PageOptions>('an object of pages, theme, lang and texts').default({}),
  route: option.string(),
  audit: option.port<Audit>('an emitter made by createAudit()', 'emit', 'subscribe').default(defaultAudit),
  clock: option.clock().default(systemClock),
}

const SETTINGS_ALIASES: OptionAliases = {
  url: 'baseUrl',
  origin: 'baseUrl',
  cookie: 'cookieName',
  name: 'cookieName',
  issuer: 'oauth.issuer',
  issuerbaseurl: 'oauth.issuer',
  clientid: 'oauth.clientId',
  clientsecret: 'oauth.clientSecret',
  bottoken: 'telegram.botToken',
  theme: 'pages.theme',
  expiresin: 'linkTtlSeconds',
  maxage: 'sessionTtlSeconds',
  absolutetimeoutseconds: 'sessionTtlSeconds',
  rolling: 'idleTimeoutSeconds',
}

const GATE_ALIASES: OptionAliases = {
  kind: 'kinds',
  sessions: 'settings',
  registry: 'settings',
  maxage: 'maxAuthAgeSeconds',
  maxageseconds: 'maxAuthAgeSeconds',
}

const GATE_RULES = {
  ...gateOptionRules,
  settings: option.custom<RegistryParts>('what createSettingsSessions() made', partsOf).required(),
  kinds: option.strings().default(['settings']),
  maxAuthAgeSeconds: option.seconds(1, DAY_SECONDS),
  requireJson: option.boolean().default(false),
  recheckSeconds: option.seconds(0.01, 3600).default(5),
}

/**
 * Validates the options of `createSettingsSessions`.
 *
 * @throws {OptionError}
 */
export function resolveSettingsOptions(options: unknown): ResolvedSettings {
  const given = resolveOptions('createSettingsSessions', options, SETTINGS_RULES, '', SETTINGS_ALIASES)
  const { baseUrl, cookieName, sameSite, idleTimeoutSeconds, sessionTtlSeconds, maxSessions } = given
  const { oauth, telegram, confirmCode, onFirstClaim, onMismatch } = given
  if (idleTimeoutSeconds > sessionTtlSeconds) {
    throw new OptionError(
      'ERR_COUNTERSIGN_OPTION_INVALID',
      'idleTimeoutSeconds',
      `createSettingsSessions: option "idleTimeoutSeconds" (${idleTimeoutSeconds}) is longer than "sessionTtlSeconds" (${sessionTtlSeconds})`,
    )
  }
  const maySignIn = given.returning === 'sign-in'
  if (oauth === undefined) {
    const returning = maySignIn || undefined
    refuseWithoutProvider({ firstClaim: given.firstClaim, onFirstClaim, onMismatch, returning })
  }
  if (maySignIn && given.store !== undefined && typeof given.store.returningUsers !== 'function') {
    throw new OptionError(
      'ERR_COUNTERSIGN_OPTION_INVALID',
      'store',
      'createSettingsSessions: option "store" must have the method "returningUsers" with "returning": \'sign-in\'',
    )
  }
  const firstClaim = oauth === undefined ? 'deny' : resolveFirstClaim(given.firstClaim, confirmCode, onFirstClaim)
  return {
    site: createSite(baseUrl, cookieName, sameSite),
    store: given.store,
    linkTtlMs: milliseconds(given.linkTtlSeconds),
    limits: { idleMs: milliseconds(idleTimeoutSeconds), absoluteMs: milliseconds(sessionTtlSeconds), maxSessions },
    confirmCode,
    kinds: given.kinds,
    oauth: oauth === undefined ? undefined : resolveOAuth(oauth),
    identities: { firstClaim, onFirstClaim, onMismatch },
    maySignIn,
    telegram: telegram === undefined ? undefined : resolveTelegram(telegram),
    onOpen: given.onOpen,
    onNotMe: given.onNotMe,
    pages: resolvePages(given.pages),
    route: given.route,
    audit: given.audit,
    clock: given.clock,
  }
}

/**
 * Validates the options of `requireSettingsSession`.
 *
 * @throws {OptionError}
 */
export function resolveGateOptions(options: RequireSettingsSessionOptions): ResolvedGate {
  const given = resolveOptions('requireSettingsSession', options, GATE_RULES, '', GATE_ALIASES)
  const { settings: parts, kinds, requireJson, maxAuthAgeSeconds, recheckSeconds } = given
  const { audit = parts.audit, onDenied, route, clock } = given
  const maxAuthAgeMs = maxAuthAgeSeconds === undefined ? undefined : milliseconds(maxAuthAgeSeconds)
  return {
    parts,
    demands: { origin: parts.site.origin, requireJson, kinds, maxAuthAgeMs },
    recheckMs: milliseconds(recheckSeconds),
    gate: { audit, onDenied, route, clock },
  }
}

/** Who chose how identities are bound, or called when they differ, means to have a provider: without one, nobody is asked. */
function refuseWithoutProvider(chosen: Readonly<Record<string, unknown>>): void {
  const name = Object.keys(chosen).find((option) => chosen[option] !== undefined)
  if (name === undefined) return
  throw new OptionError(
    'ERR_COUNTERSIGN_OPTION_MISSING',
    'oauth',
    `createSettingsSessions: option "oauth" is required with "${name}": without a provider, anyone who has a link is its user. ` +
      `Set it, for example to settingsOAuthFromEnv(process.env), or remove "${name}" if the link is enough`,
  )
}

/** Whole milliseconds: stores take no fractions. */
function milliseconds(seconds: number): number {
  return Math.round(seconds * 1000)
}

function parseBaseUrl(text: string): URL | undefined {
  if (!URL.canParse(text)) return undefined
  const url = new URL(text)
  const { search, hash, username, password } = url
  if (search !== '' || hash !== '' || username !== '' || password !== '' || !isSecureUrl(url)) return undefined
  url.pathname = url.pathname.replace(/\/+$/, '')
  return url
}

function isKinds(value: unknown): value is KindValidators {
  if (value === null || typeof value !== 'object') return false
  return Object.entries(value).every(
    ([kind, parse]) =>
      /^[a-z][a-z0-9_-]{0,31}$/.test(kind) &&
      kind !== 'settings' &&
      typeof parse === 'function' &&
      !isAsyncFunction(parse),
  )
}
