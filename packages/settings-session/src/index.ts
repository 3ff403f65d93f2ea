export type { Principal } from '@countersign/core'
export { principalOf } from '@countersign/core'
export type { AgentSafe, HoldsSensitiveUrl } from './agent-safe.js'
export type { SessionSummary, SettingsSessions } from './create-settings-sessions.js'
export { createSettingsSessions } from './create-settings-sessions.js'
export type { SendToUser } from './deliver.js'
export type { RequireSettingsSessionOptions } from './gate-options.js'
export type { KindAndMetadata, LinkKinds, OnOpen, OpenedSession, OpenResult } from './kinds.js'
export type { LeakGuardOptions } from './leak-guard.js'
export { leakGuard } from './leak-guard.js'
export type { LinkRequest } from './links.js'
export type { FirstClaim, FirstClaimRequest, Mismatch, OnFirstClaim } from './oauth/first-claim.js'
export type { SettingsOAuthFromEnvOptions } from './oauth/from-env.js'
export { settingsOAuthFromEnv } from './oauth/from-env.js'
export type { SettingsOAuth } from './oauth/oauth-options.js'
export type { NoKinds, SettingsSessionsOptions } from './options.js'
export type {
  ConfirmModel,
  ErrorModel,
  InterstitialModel,
  LoggedOutModel,
  PageModel,
  PageOptions,
  PageTheme,
  TelegramModel,
} from './pages/page-options.js'
export type { SettingsIdentity, SettingsSessionPrincipal, SettingsUser } from './principal.js'
export type { SettingsSessionDependency, SettingsSessionReason } from './reasons.js'
export type { LinkReceipt, SensitiveLink } from './receipts.js'
export { parseReceipt, wrapUrl } from './receipts.js'
export { requireSettingsSession } from './require-settings-session.js'
export { SensitiveUrl } from './sensitive-url.js'
export type { MemorySessionsOptions } from './stores/memory.js'
export { memorySessions } from './stores/memory.js'
export type * from './stores/store.js'
export type { SettingsTelegram, TelegramUser } from './telegram/telegram-options.js'
