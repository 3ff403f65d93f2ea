import { type AuditAttributes, type OptionRule, resolveOptions } from '@countersign/core/gate-kit'
import { NAME } from './name.js'

/** Options of every revocation. */
export interface RevokeOptions {
  /** Who asked for it: the attribute `operator` of its event. 1 to 256 characters. */
  readonly operator?: string | undefined
}

/** The rules of {@link RevokeOptions}. */
export const revokeRules: { readonly operator: OptionRule<string | undefined> } = { operator: NAME }

/**
 * What the event of a revocation says of who asked for it.
 *
 * @throws {OptionError}
 */
export function operatorIn(options: RevokeOptions = {}): AuditAttributes {
  return attributesOf(resolveOptions('credentials.revoke', options, revokeRules))
}

/** The same, of options that were validated. */
export function attributesOf({ operator }: RevokeOptions): AuditAttributes {
  return operator === undefined ? {} : { operator }
}
