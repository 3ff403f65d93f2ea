import { type OptionRule, option, resolveOptions } from '@countersign/core/gate-kit'
import type { OnExisting } from '../store/port.js'
import { NAME } from './name.js'

/** Options of `credentials.issue`. */
export interface IssueOptions {
  /** The conversation that the agent works in: 1 to 256 characters. */
  readonly threadId: string
  /** The agent: a provider as the host configured it. 1 to 256 characters. */
  readonly providerInstanceId: string
  /** The provider's own session, when the host knows it. 1 to 256 characters. */
  readonly providerSessionId?: string | undefined
  /** What the agent may do: scope tokens of RFC 6749 §3.3, at most 64. Default: none. */
  readonly capabilities?: readonly string[] | undefined
  /**
   * What becomes of the thread's other credentials for this provider: `'supersede'` (default) ends them after
   * `overlapSeconds`, `'keep'` leaves them, `'carry'` makes their tokens aliases of the new one, for an agent process
   * that is used again and never sees the new token.
   */
  readonly onExisting?: OnExisting | undefined
  /** Seconds that superseded credentials stay usable, so that the new one can be handed over. Default 0. */
  readonly overlapSeconds?: number | undefined
  /**
   * Names this issue, so that a retry in this process is recognised for 10 min: it gets the same credential, whether or
   * not the first attempt was done. 1 to 256 characters.
   */
  readonly idempotencyKey?: string | undefined
}

/** {@link IssueOptions} with their defaults. */
export interface ResolvedIssueOptions {
  readonly threadId: string
  readonly providerInstanceId: string
  readonly providerSessionId: string | undefined
  readonly capabilities: readonly string[]
  readonly onExisting: OnExisting
  readonly overlapMs: number
  readonly idempotencyKey: string | undefined
}

const MAX_CAPABILITIES = 64
const CAPABILITY = /^[\x21\x23-\x5b\x5d-\x7e]{1,128}$/

/** What a session, or a caller without a credential, may do. */
export const capabilitiesOption: OptionRule<readonly string[] | undefined> = option.custom<readonly string[]>(
  `a list of at most ${MAX_CAPABILITIES} scope tokens: printable ASCII without space, " and \\`,
  (value) =>
    Array.isArray(value) &&
    value.length <= MAX_CAPABILITIES &&
    value.every((item) => typeof item === 'string' && CAPABILITY.test(item))
      ? Object.freeze([...new Set(value as string[])])
      : undefined,
)

const ISSUE_RULES = {
  threadId: NAME.required(),
  providerInstanceId: NAME.required(),
  providerSessionId: NAME,
  capabilities: capabilitiesOption,
  onExisting: option.oneOf('supersede', 'keep', 'carry').default('supersede'),
  overlapSeconds: option.seconds(0, 86_400).default(0),
  idempotencyKey: NAME,
}

/** @throws {OptionError} */
export function resolveIssueOptions(options: IssueOptions): ResolvedIssueOptions {
  const { overlapSeconds, capabilities = [], ...rest } = resolveOptions('credentials.issue', options, ISSUE_RULES)
  return { ...rest, capabilities, overlapMs: Math.round(overlapSeconds * 1000) }
}
