import { OptionError } from '@countersign/core'
import type { SettingsIdentity, SettingsSessionPrincipal } from '../principal.js'

/**
 * Who may be bound to a user for the first time. `'trust-link'`: the holder of the link. `'ask'`: whom the app's
 * `onFirstClaim` allows, after it asked in the chat. `'deny'`: nobody; the app binds users with `rebind`.
 */
export type FirstClaim = 'trust-link' | 'ask' | 'deny'

/** Somebody wants to be bound to a user who has no identity yet. */
export interface FirstClaimRequest {
  /** For `answerFirstClaim`, when the answer comes later. Names this session and this identity; at most 64 characters. */
  readonly claimId: string
  readonly principal: SettingsSessionPrincipal
  readonly identity: SettingsIdentity
  /** The provider's name. */
  readonly provider: string
}

/** True allows, false denies, undefined leaves it to `answerFirstClaim`; meanwhile the person sees a page that waits. */
export type FirstClaimAnswer = boolean | undefined

/** Asks the user in the chat about a first claim. */
export type OnFirstClaim = (request: FirstClaimRequest) => FirstClaimAnswer | Promise<FirstClaimAnswer>

/** Somebody other than the user opened the link, and was refused. */
export interface Mismatch {
  readonly principal: SettingsSessionPrincipal
  /** Who it was. */
  readonly identity: SettingsIdentity
}

/** What the app decides about identities. */
export interface IdentityPolicy {
  readonly firstClaim: FirstClaim
  readonly onFirstClaim: OnFirstClaim | undefined
  readonly onMismatch: ((mismatch: Mismatch) => unknown) | undefined
}

/**
 * The policy for first claims.
 *
 * @throws {OptionError} when nothing says who may be first: with a stolen first link a thief would take the account.
 */
export function resolveFirstClaim(
  given: FirstClaim | undefined,
  confirmCode: boolean,
  onFirstClaim: OnFirstClaim | undefined,
): FirstClaim {
  if (given === 'ask' && onFirstClaim === undefined) {
    throw new OptionError(
      'ERR_COUNTERSIGN_OPTION_MISSING',
      'onFirstClaim',
      `createSettingsSessions: option "onFirstClaim" is required with firstClaim 'ask': set it to a function`,
    )
  }
  if (given !== undefined) return given
  if (onFirstClaim !== undefined) return 'ask'
  if (confirmCode) return 'trust-link'
  throw new OptionError(
    'ERR_COUNTERSIGN_OPTION_MISSING',
    'firstClaim',
    'createSettingsSessions: with "oauth", the first person to open a link of a user becomes that user. Choose: ' +
      'confirmCode: true (the page asks for digits that the chat shows), onFirstClaim (ask in the chat), or ' +
      `firstClaim: 'deny' (bind with rebind); or accept the risk with firstClaim: 'trust-link'`,
  )
}
