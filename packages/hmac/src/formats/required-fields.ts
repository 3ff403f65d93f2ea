import { OptionError } from '@countersign/core'
import { option, type RuleBuilder } from '@countersign/core/gate-kit'
import { FIELD_NAME_PATTERN, withoutWhitespaceAround } from './grammar.js'

/** Names of header fields, in lower case, none twice. */
export function requiredFieldsRule(): RuleBuilder<readonly string[]> {
  return option.custom<readonly string[]>('a list of header field names, none twice', (value) => {
    if (!Array.isArray(value) || !value.every((name) => typeof name === 'string')) return undefined
    const names = value.map((name) => name.toLowerCase())
    const isList = names.every((name) => FIELD_NAME_PATTERN.test(name)) && new Set(names).size === names.length
    return isList ? Object.freeze(names) : undefined
  })
}

/**
 * Refuses a field that a format writes itself: it would be signed before it is known.
 *
 * @throws {OptionError}
 */
export function assertNotWritten(owner: string, fields: readonly string[], written: readonly string[]): void {
  const own = fields.find((name) => written.includes(name))
  if (own === undefined) return
  throw new OptionError(
    'ERR_COUNTERSIGN_OPTION_INVALID',
    'requiredFields',
    `${owner}: option "requiredFields" names "${own}", which the signature itself writes: remove it`,
  )
}

/**
 * The value of a field that has to be signed, without the whitespace around it.
 *
 * @throws {OptionError} when the request has no such field.
 */
export function requiredValue(headers: ReadonlyMap<string, string>, name: string): string {
  const value = withoutWhitespaceAround(headers.get(name))
  if (value !== undefined) return value
  throw new OptionError(
    'ERR_COUNTERSIGN_OPTION_MISSING',
    'headers',
    `sign: the request has no "${name}", which "requiredFields" of the format names: add it to its headers`,
  )
}
