/** A bare item of a type that RFC 9421 and RFC 9530 do not use here: a decimal, a token, a date, a display string. */
export const UNUSED: unique symbol = Symbol('unused')

/** A bare item (RFC 9651 §3.3). `true` is also a parameter, or a member, without a value. */
export type BareItem = string | number | Uint8Array | boolean | typeof UNUSED

/** The parameters of an item or of a list, by key. */
export type Parameters = ReadonlyMap<string, BareItem>

/** An item with its parameters. */
export interface Item {
  readonly value: BareItem
  readonly parameters: Parameters
}

/** A member of a dictionary: an item, or an inner list of items. */
export interface Member {
  readonly value: BareItem | readonly Item[]
  readonly parameters: Parameters
  /** What follows its `key=`, as it was sent. */
  readonly text: string
}

const MAX_LENGTH = 4096
// Sticky, and only tested: what matched is cut from the text. `exec` would make an array for each of the 20 to 40 tokens.
const KEY = /[a-z*][a-z0-9_.*-]*/y
const STRING = /"[ !#-[\]-~]*(?:\\["\\][ !#-[\]-~]*)*"/y
const INTEGER = /-?\d{1,15}(?![\d.])/y
const DECIMAL = /-?\d{1,12}\.\d{1,3}(?![\d.])/y
const BYTES = /:[A-Za-z0-9+/]*={0,2}:/y
const BOOLEAN = /\?[01]/y
const TOKEN = /[A-Za-z*][!#$%&'*+.^_`|~0-9A-Za-z:/-]*/y
const DATE = /@-?\d{1,15}(?![\d.])/y
const DISPLAY_STRING = /%"(?:[ !#$&-~]|%[0-9a-f]{2})*"/y
const NONE: Parameters = new Map()

/** How far a text is read. An object, and functions that take it: closures would be made again for each dictionary. */
interface Cursor {
  readonly text: string
  at: number
}

/**
 * Reads a dictionary (RFC 9651 §4.2.2) in every spelling that the RFC's grammar allows, in linear time. Undefined for any
 * other text, and for those that two readers could take for two values: a key or a parameter that comes twice, of which the
 * RFC takes the last, and base64 without its padding or with stray bits. Also for an empty one, and for more than 4096
 * characters.
 */
export function parseDictionary(text: string): ReadonlyMap<string, Member> | undefined {
  if (text.length > MAX_LENGTH) return undefined
  const cursor: Cursor = { text, at: 0 }
  const members = new Map<string, Member>()
  skipSpaces(cursor)
  do {
    if (members.size > 0) skipWhitespace(cursor)
    const key = take(cursor, KEY)
    if (key === undefined || members.has(key)) return undefined
    const start = cursor.at + 1
    const value = !skip(cursor, '=') ? true : skip(cursor, '(') ? innerList(cursor) : bareItem(cursor)
    const own = value === undefined ? undefined : parameters(cursor)
    if (value === undefined || own === undefined) return undefined
    members.set(key, { value, parameters: own, text: text.slice(start, cursor.at) })
    skipWhitespace(cursor)
  } while (skip(cursor, ','))
  return cursor.at === text.length ? members : undefined
}

function take(cursor: Cursor, pattern: RegExp): string | undefined {
  const start = cursor.at
  pattern.lastIndex = start
  if (!pattern.test(cursor.text)) return undefined
  cursor.at = pattern.lastIndex
  return cursor.text.slice(start, cursor.at)
}

function skip(cursor: Cursor, separator: string): boolean {
  if (!cursor.text.startsWith(separator, cursor.at)) return false
  cursor.at += separator.length
  return true
}

function skipSpaces(cursor: Cursor): void {
  while (cursor.text[cursor.at] === ' ') cursor.at += 1
}

/** Optional whitespace (RFC 9110 §5.6.3), which is allowed around a comma; elsewhere only spaces are. */
function skipWhitespace(cursor: Cursor): void {
  while (cursor.text[cursor.at] === ' ' || cursor.text[cursor.at] === '\t') cursor.at += 1
}

function bareItem(cursor: Cursor): BareItem | undefined {
  const first = cursor.text[cursor.at]
  if (first === '"') return stringOf(take(cursor, STRING))
  if (first === ':') return bytesOf(take(cursor, BYTES))
  const integer = take(cursor, INTEGER)
  if (integer !== undefined) return Number(integer)
  if (first === '?') return booleanOf(take(cursor, BOOLEAN))
  if (first === '%') return isDisplayString(take(cursor, DISPLAY_STRING)) ? UNUSED : undefined
  return (take(cursor, TOKEN) ?? take(cursor, DECIMAL) ?? take(cursor, DATE)) === undefined ? undefined : UNUSED
}

function parameters(cursor: Cursor): Parameters | undefined {
  if (cursor.text[cursor.at] !== ';') return NONE
  const found = new Map<string, BareItem>()
  while (skip(cursor, ';')) {
    skipSpaces(cursor)
    const key = take(cursor, KEY)
    const value = skip(cursor, '=') ? bareItem(cursor) : true
    if (key === undefined || value === undefined || found.has(key)) return undefined
    found.set(key, value)
  }
  return found
}

/** What follows the opening parenthesis. */
function innerList(cursor: Cursor): readonly Item[] | undefined {
  const items: Item[] = []
  skipSpaces(cursor)
  while (!skip(cursor, ')')) {
    if (items.length > 0 && cursor.text[cursor.at - 1] !== ' ') return undefined
    const value = bareItem(cursor)
    const own = value === undefined ? undefined : parameters(cursor)
    if (value === undefined || own === undefined) return undefined
    items.push({ value, parameters: own })
    skipSpaces(cursor)
  }
  return items
}

function booleanOf(text: string | undefined): boolean | undefined {
  return text === undefined ? undefined : text === '?1'
}

/** Its bytes are to be UTF-8 (RFC 9651 §4.2.10). */
function isDisplayString(text: string | undefined): boolean {
  try {
    return text !== undefined && decodeURIComponent(text.slice(2, -1)) !== undefined
  } catch {
    return false
  }
}

function stringOf(quoted: string | undefined): string | undefined {
  const text = quoted?.slice(1, -1)
  return text?.includes('\\') ? text.replace(/\\(.)/g, '$1') : text
}

/** Undefined for base64 without its padding, or with stray bits. */
function bytesOf(enclosed: string | undefined): Uint8Array | undefined {
  if (enclosed === undefined) return undefined
  const base64 = enclosed.slice(1, -1)
  const bytes = Buffer.from(base64, 'base64')
  return bytes.toString('base64') === base64 ? bytes : undefined
}
