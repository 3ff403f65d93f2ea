import type { Audit } from '@countersign/core'
import { singleton } from '@countersign/core/gate-kit'
import type { ResolvedPages } from './pages/page-options.js'
import type { SocketWatch } from './session-watch.js'
import type { Site } from './site.js'
import type { SettingsStore } from './store/port.js'

/** What a gate takes from the registry whose sessions it accepts. */
export interface RegistryParts {
  readonly site: Site
  readonly store: Pick<SettingsStore, 'read'>
  readonly pages: ResolvedPages
  /** The name of the provider where people sign in; undefined where a link is enough. */
  readonly providerName: string | undefined
  /** Whether a sign-in alone opens the settings of who is bound already. */
  readonly maySignIn: boolean
  readonly sockets: SocketWatch
  readonly audit: Audit
}

/** A gate accepts a registry that another copy of this package made, as one of MCP credentials does. */
const parts = singleton('settings-registries', () => new WeakMap<object, RegistryParts>())

/** Keeps the parts of a registry. */
export function keepParts(registry: object, kept: RegistryParts): void {
  parts.set(registry, kept)
}

/** The parts of what `createSettingsSessions` made; undefined for anything else. */
export function partsOf(value: unknown): RegistryParts | undefined {
  return value !== null && typeof value === 'object' ? parts.get(value) : undefined
}
