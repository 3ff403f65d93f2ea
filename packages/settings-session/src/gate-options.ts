import type { GateOptions } from '@countersign/core'
import { gateOptionRules, option, resolveOptions } from '@countersign/core/gate-kit'
import { engineOf, type SettingsSessions } from './create-settings-sessions.js'
import { parseDuration } from './duration.js'
import type { Engine } from './engine.js'
import type { SettingsSessionDependency, SettingsSessionReason } from './reasons.js'

export interface RequireSettingsSessionOptions extends GateOptions<SettingsSessionReason, SettingsSessionDependency> {
  /** What {@link createSettingsSessions} made. */
  readonly settings: Pick<SettingsSessions, 'routes' | 'revoke'>
  /** The kinds of links whose sessions are let in. Default `['settings']`. */
  readonly kinds?: readonly string[]
  /** The person was verified within this time, such as `'5m'`; else 403 `reauthentication_required`. */
  readonly fresh?: string
  /** Unsafe requests must say that their body is `application/json`. Default false. */
  readonly json?: boolean
}

const rules = {
  ...gateOptionRules,
  settings: option
    .custom<Engine>('what createSettingsSessions() made', (value) =>
      value !== null && typeof value === 'object' ? engineOf(value) : undefined,
    )
    .required(),
  kinds: option.strings().default(['settings']),
  fresh: option.custom<number>("a duration such as '30s', '5m' or '1h'", parseDuration),
  json: option.boolean().default(false),
}

/** The gate's options with their defaults. */
export type ResolvedGateOptions = ReturnType<typeof resolveGateOptions>

/** @throws {OptionError} */
export function resolveGateOptions(options: RequireSettingsSessionOptions) {
  const { settings: engine, fresh: freshMs, ...rest } = resolveOptions('requireSettingsSession', options, rules)
  return { ...rest, audit: rest.audit ?? engine.options.audit, engine, freshMs }
}
