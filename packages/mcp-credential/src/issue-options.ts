import { option } from '@countersign/core/gate-kit'
import type { OnExisting } from './stores/store.js'

export interface IssueOptions {
  /** The conversation that the agent works in: 1 to 256 characters. */
  readonly threadId: string
  /** The agent: which provider, as the host configured it. 1 to 256 characters. */
  readonly providerInstanceId: string
  /** The provider's own session, when the host knows it. 1 to 256 characters. */
  readonly providerSessionId?: string
  /** What the agent may do: scope tokens of RFC 6749 §3.3, at most 64. Default: none. */
  readonly capabilities?: readonly string[]
  /**
   * What becomes of the thread's other credentials for this provider: `'supersede'` (default) ends them after
   * `overlapMs`, `'keep'` leaves them, `'carry'` makes their tokens aliases of the new one, for an agent process that is
   * used again and never sees the new token.
   */
  readonly onExisting?: OnExisting
  /** Milliseconds that superseded credentials stay usable, so that the new one can be handed over. Default 0. */
  readonly overlapMs?: number
}

const MAX_CAPABILITIES = 64
const CAPABILITY = /^[\x21\x23-\x5b\x5d-\x7e]{1,128}$/

/** A name that the host gave: no control characters, so that it can be told in a log line. */
export const nameRule = () =>
  option.string(/^[^\u0000-\u001f\u007f]{1,256}$/, 'a text of 1 to 256 characters without control characters')

export const issueRules = {
  threadId: nameRule().required(),
  providerInstanceId: nameRule().required(),
  providerSessionId: nameRule(),
  capabilities: option
    .custom<readonly string[]>(
      `a list of at most ${MAX_CAPABILITIES} scope tokens: printable ASCII without space, " and \\`,
      (value) =>
        Array.isArray(value) &&
        value.length <= MAX_CAPABILITIES &&
        value.every((item) => typeof item === 'string' && CAPABILITY.test(item))
          ? Object.freeze([...new Set(value as string[])])
          : undefined,
    )
    .default([]),
  onExisting: option.oneOf('supersede', 'keep', 'carry').default('supersede'),
  overlapMs: option.integer(0, 86_400_000).default(0),
}
