import type { Audit } from '@countersign/core'
import { audit as defaultAudit } from '@countersign/core'
import { OptionError, type Clock } from '@countersign/core'
import { option, resolveOptions, systemClock } from '@countersign/core/gate-kit'
import type { SameSite } from './cookies.js'
import type { LinkKinds, OnOpen } from './kinds.js'
import { type FirstClaim, type Mismatch, type OnFirstClaim, resolveFirstClaim } from './oauth/first-claim.js'
import { resolveOAuth, type SettingsOAuth } from './oauth/oauth-options.js'
import { type PageOptions, resolvePages } from './pages/page-options.js'
import { memorySessions } from './stores/memory.js'
import type { SettingsStore } from './stores/store.js'
import { resolveTelegram, type SettingsTelegram } from './telegram/telegram-options.js'

export interface SettingsSessionsOptions<M extends object = NoKinds> {
  /** Where the routes are mounted, as browsers reach it: `https://app.example.com/settings`. `Host` is never believed. */
  readonly baseUrl: string
  /** Default: this process's memory; give `redisSessions(redis)` to more than one process. */
  readonly store?: SettingsStore
  /** Milliseconds that a link may be opened. Default 10 minutes, at most 24 hours. */
  readonly linkTtlMs?: number
  /** Milliseconds that a session lasts, used or not. Default 1 hour, at most 24 hours. */
  readonly sessionTtlMs?: number
  /** Milliseconds that a session lasts unused. Default 15 minutes. */
  readonly idleTtlMs?: number
  /** Active sessions that a user may have; beyond it the oldest ends. Default 5. */
  readonly maxSessions?: number
  /** First part of the cookies' names, after `__Host-`. Default `countersign-settings`. */
  readonly cookieName?: string
  /** `'strict'` keeps the session's cookie from every navigation that another site began. Default `'lax'`. */
  readonly sameSite?: SameSite
  /** The page asks for digits that the chat shows: a forwarded link is not enough. Default false. */
  readonly confirmCode?: boolean
  /** Where people prove who they are, such as `settingsOAuthFromEnv(process.env)`. Default: the link is enough. */
  readonly oauth?: SettingsOAuth
  /** Who may be bound to a user for the first time; needed with `oauth`, unless a code or `onFirstClaim` says so. */
  readonly firstClaim?: FirstClaim
  /** Asks the user in the chat whether the person who signed in may become the user. */
  readonly onFirstClaim?: OnFirstClaim
  /** Called when somebody else than the user opened a link: a chance to warn the user in the chat. */
  readonly onMismatch?: (mismatch: Mismatch) => unknown
  /** Lets people in by what Telegram signed when they open the page from a chat there. */
  readonly telegram?: SettingsTelegram
  /**
   * Called when a session has become active; may send the person on. A double click calls it once more, for the same
   * session. What it throws goes to the app's error handler; the session stays.
   */
  readonly onOpen?: OnOpen<M>
  /** Kinds of links beside `settings`, each with what validates its metadata. */
  readonly kinds?: LinkKinds<M>
  readonly pages?: PageOptions
  /** The name of the routes in audit events. Default: the path of `baseUrl` and of the route. */
  readonly route?: string
  /** Where changes of state are reported. Default: the process-wide emitter of `@countersign/audit`. */
  readonly audit?: Audit
  readonly clock?: Clock
}

/** No kinds but `settings`. */
export type NoKinds = Record<never, never>

const DAY_MS = 86_400_000

const object = <T extends object>(expected: string) =>
  option.custom<T>(expected, (value) => (value !== null && typeof value === 'object' ? (value as T) : undefined))

const rules = {
  baseUrl: option
    .custom<URL>('an https URL without query, or http on localhost', (value) =>
      typeof value === 'string' ? parseBaseUrl(value) : undefined,
    )
    .required(),
  store: option.port<SettingsStore>('a store, such as redisSessions(redis)', 'exchange', 'read', 'revokeAll'),
  linkTtlMs: option.integer(1000, DAY_MS).default(10 * 60_000),
  sessionTtlMs: option.integer(1000, DAY_MS).default(60 * 60_000),
  idleTtlMs: option.integer(1000, DAY_MS).default(15 * 60_000),
  maxSessions: option.integer(1, 100).default(5),
  cookieName: option.string(/^[A-Za-z0-9_-]{1,64}$/, 'letters, digits, _ and -').default('countersign-settings'),
  sameSite: option.oneOf('lax', 'strict').default('lax'),
  confirmCode: option.boolean().default(false),
  kinds: option.custom<Readonly<Record<string, (value: unknown) => unknown>>>(
    'an object of kind: function that validates metadata',
    (value) => (isKinds(value) ? value : undefined),
  ),
  onOpen: option.func<OnOpen<NoKinds>>(),
  oauth: object<SettingsOAuth>('what settingsOAuthFromEnv(process.env) returns'),
  firstClaim: option.oneOf('trust-link', 'ask', 'deny'),
  onFirstClaim: option.func<OnFirstClaim>(),
  onMismatch: option.func<(mismatch: Mismatch) => unknown>(),
  telegram: object<SettingsTelegram>('an object of botToken or botId'),
  pages: object<PageOptions>('an object of pages and theme').default({}),
  route: option.string(),
  audit: option.port<Audit>('an emitter made by createAudit()', 'emit', 'subscribe').default(defaultAudit),
  clock: option.port<Clock>('a Clock', 'now', 'monotonic').default(systemClock),
}

function parseBaseUrl(text: string): URL | undefined {
  if (!URL.canParse(text)) return undefined
  const url = new URL(text)
  if (url.search !== '' || url.hash !== '' || url.username !== '' || url.password !== '') return undefined
  const isLocal = ['localhost', '127.0.0.1', '[::1]'].includes(url.hostname)
  if (url.protocol !== 'https:' && !(url.protocol === 'http:' && isLocal)) return undefined
  url.pathname = url.pathname.replace(/\/+$/, '')
  return url
}

function isKinds(value: unknown): value is Readonly<Record<string, (value: unknown) => unknown>> {
  if (value === null || typeof value !== 'object') return false
  return Object.entries(value).every(
    ([kind, parse]) => /^[a-z][a-z0-9_-]{0,31}$/.test(kind) && kind !== 'settings' && typeof parse === 'function',
  )
}

/** The options with their defaults. */
export type ResolvedSettingsOptions = ReturnType<typeof resolveSettingsOptions>

/** @throws {OptionError} */
export function resolveSettingsOptions(options: unknown) {
  const resolved = resolveOptions('createSettingsSessions', options, rules)
  if (resolved.idleTtlMs > resolved.sessionTtlMs) {
    throw new OptionError(
      'ERR_COUNTERSIGN_OPTION_INVALID',
      'idleTtlMs',
      `createSettingsSessions: option "idleTtlMs" (${resolved.idleTtlMs}) is longer than "sessionTtlMs" (${resolved.sessionTtlMs})`,
    )
  }
  const { clock, store = memorySessions({ clock }), oauth, telegram, confirmCode, onFirstClaim, pages } = resolved
  return {
    ...resolved,
    store,
    pages: resolvePages(pages),
    oauth: oauth === undefined ? undefined : resolveOAuth(oauth),
    telegram: telegram === undefined ? undefined : resolveTelegram(telegram),
    firstClaim: oauth === undefined ? 'deny' : resolveFirstClaim(resolved.firstClaim, confirmCode, onFirstClaim),
  }
}
