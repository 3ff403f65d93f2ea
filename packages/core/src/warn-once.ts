import { safeString } from './audit/normalise.js'
import { type WarningCode, warn } from './homepage.js'
import { memberOf } from './options/own.js'
import { singleton } from './singleton.js'

/** What {@link warnOnce} says, and what makes it the same cause. */
export interface Warning {
  readonly code: WarningCode
  /** What sets one cause apart from another of the same code. Default: the code has one cause. */
  readonly cause?: string | undefined
  /** The object that the causes belong to, such as a connection. Default: the process. */
  readonly owner?: object | undefined
  /** What is wrong. A function is called only when the warning is given. */
  readonly message: string | (() => string)
  /** What to do about it. */
  readonly remedy?: string | undefined
}

/** Causes of one code that are told, and remembered. Where strangers can make causes, they fill no memory and no log. */
const MAX_CAUSES = 32

/** By what the causes belong to and by code. */
type Told = WeakMap<object, Map<string, Set<string>>>

const state = singleton<{ readonly told: Told }>('warnings', () => ({ told: new WeakMap() }))

/**
 * Warns of a cause once, through `process.emitWarning`. Further causes of one code beyond 32 are not told. Never throws.
 *
 * @example
 * warnOnce({ code: 'COUNTERSIGN_OAUTH_WRONG_TYPE', cause: issuer, message: `a token of ${issuer} …`, remedy: 'Set …' })
 */
export function warnOnce(warning: Warning): void {
  const { code, message } = warning
  const owner = memberOf(warning, 'owner') ?? state
  const codes = state.told.get(owner) ?? new Map<string, Set<string>>()
  state.told.set(owner, codes)
  const causes = codes.get(code) ?? new Set<string>()
  codes.set(code, causes)
  const key = safeString(memberOf(warning, 'cause') ?? '')
  if (causes.has(key) || causes.size >= MAX_CAUSES) return
  causes.add(key)
  warn(code, typeof message === 'string' ? message : message(), memberOf(warning, 'remedy'))
}
