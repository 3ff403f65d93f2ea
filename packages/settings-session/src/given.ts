import { OptionError } from '@countersign/core'
import { memberOf } from '@countersign/core/gate-kit'
import type { SettingsIdentity, SettingsUser } from './principal.js'

// What an app hands to a method. A wrong field would name somebody else, or nobody: then a revocation would be reported that
// ended nothing. So it is refused before the store is asked.

/** What a method was given, by field. */
export type Given = Readonly<Record<string, unknown>>

const USER_FIELDS = ['platform', 'team', 'userId'] as const
const CONTROL = /[\p{Cc}\p{Zl}\p{Zp}\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/u
/** A principal names a user, too. */
const PRINCIPAL_FIELDS = [...USER_FIELDS, 'kind', 'id', 'sessionId', 'agentId', 'identity']
const IDENTITY_FIELDS = ['issuer', 'subject']

/**
 * An object without other fields than these.
 *
 * @throws {OptionError}
 */
export function givenFields(method: string, what: string, value: unknown, fields: readonly string[]): Given {
  if (value === null || typeof value !== 'object' || Array.isArray(value))
    throw misuse(method, what, 'must be an object')
  // A class may have fields that are not listed: a misspelt team among them names somebody else.
  if (!isPlain(value)) throw misuse(method, what, `must be a plain object: { ${fields.join(', ')} }`)
  const unknown = Object.keys(value).find((name) => !fields.includes(name))
  if (unknown !== undefined) throw misuse(method, unknown, `is not known. The fields are: ${fields.join(', ')}`)
  return value as Given
}

/** Whether an object has no prototype but that of all objects, of whatever realm. */
function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === null || Object.getPrototypeOf(prototype) === null
}

/**
 * A text of 1 to `max` characters, without those that break a line or turn the direction of what a person reads.
 *
 * @throws {OptionError}
 */
export function givenText(method: string, name: string, value: unknown, max = 256): string {
  if (typeof value !== 'string' || value === '' || value.length > max || !value.isWellFormed()) {
    throw misuse(method, name, `must be a string of 1 to ${max} characters`)
  }
  if (CONTROL.test(value)) throw misuse(method, name, 'must not have control characters')
  return value
}

/**
 * The user that a method's fields name.
 *
 * @throws {OptionError}
 */
export function userIn(method: string, given: Given): SettingsUser {
  const team = memberOf(given, 'team')
  return {
    platform: givenText(method, 'platform', memberOf(given, 'platform')),
    ...(team === undefined ? {} : { team: givenText(method, 'team', team) }),
    userId: givenText(method, 'userId', memberOf(given, 'userId')),
  }
}

/**
 * The user that a method was given, or the user of the principal that it was given.
 *
 * @throws {OptionError}
 */
export function givenUser(method: string, value: unknown): SettingsUser {
  const isPrincipal = (value as { kind?: unknown } | null)?.kind === 'settings-session'
  return userIn(method, givenFields(method, 'user', value, isPrincipal ? PRINCIPAL_FIELDS : USER_FIELDS))
}

/**
 * The identity that a method was given.
 *
 * @throws {OptionError}
 */
export function givenIdentity(method: string, value: unknown): SettingsIdentity {
  const given = givenFields(method, 'identity', value, IDENTITY_FIELDS)
  return {
    issuer: givenText(method, 'issuer', memberOf(given, 'issuer'), 2048),
    // OpenID Connect Core §2.
    subject: givenText(method, 'subject', memberOf(given, 'subject'), 255),
  }
}

/**
 * What the event of a revocation says of who asked for it, from the method's options.
 *
 * @throws {OptionError}
 */
export function operatorIn(method: string, options: unknown = {}): { readonly operator: string } | undefined {
  const operator = memberOf(givenFields(method, 'options', options, ['operator']), 'operator')
  return operator === undefined ? undefined : { operator: givenText(method, 'operator', operator) }
}

/** The value is not shown: it may be anything, even a token. */
export function misuse(method: string, name: string, why: string): OptionError {
  return new OptionError('ERR_COUNTERSIGN_OPTION_INVALID', name, `${method}: "${name}" ${why}`)
}
