import type { Audit } from '@countersign/audit'
import { option } from '@countersign/audit/options'
import { type Clock, systemClock } from './clock.js'
import type { OnDenied } from './gate.js'

export type { OptionErrorCode, OptionRule, OptionRules, Resolved, RuleBuilder } from '@countersign/audit/options'
export { nearest, OptionError, option, resolveOptions } from '@countersign/audit/options'

/** The rules of the options that every gate has: see `GateOptions`. Spread them into a gate's own. */
export const gateOptionRules = {
  onDenied: option.custom<OnDenied>(`'respond', 'next' or a function`, (value) =>
    value === 'respond' || value === 'next' || typeof value === 'function' ? (value as OnDenied) : undefined,
  ),
  audit: option.port<Audit>('an emitter made by createAudit()', 'emit', 'subscribe'),
  route: option.string(),
  clock: option.port<Clock>('a Clock', 'now', 'monotonic').default(systemClock),
}
