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
  /** What follows its `key=` as it was sent, where that is the one spelling that a serialiser prints. */
  readonly printed: string | undefined
}

const MAX_LENGTH = 4096
// Sticky, and only tested: what matched is cut from the text. `exec` would make an array for each token. Keys and strings,
// which are most of them, are compared code by code: to set up a regular expression costs more than that.
const INTEGER = /-?\d{1,15}(?![\d.])/y
const DECIMAL = /-?\d{1,12}\.\d{1,3}(?![\d.])/y
// With its padding, and without stray bits (RFC 4648 §3.2, §3.5).
const BYTES = /:(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}[AEIMQUYcgkosw048]=|[A-Za-z0-9+/][AQgw]==)?:/y
const BOOLEAN = /\?[01]/y
const TOKEN = /[A-Za-z*][!#$%&'*+.^_`|~0-9A-Za-z:/-]*/y
const DATE = /@-?\d{1,15}(?![\d.])/y
const DISPLAY_STRING = /%"(?:[ !#$&-~]|%[0-9a-f]{2})*"/y
const NONE: Parameters = new Map()

/** The characters of a key, by code: 1, and 2 for those that it may begin with. */
const OF_KEYS = Uint8Array.from({ length: 128 }, (_, code) => {
  const character = String.fromCharCode(code)
  return /[a-z*]/.test(character) ? 2 : /[0-9_.-]/.test(character) ? 1 : 0
})
const SPACE = 0x20
const TAB = 0x09
const QUOTE = 0x22
const BACKSLASH = 0x5c
const COLON = 0x3a
const SEMICOLON = 0x3b
const COMMA = 0x2c
const EQUALS = 0x3d
const OPEN = 0x28
const CLOSE = 0x29

/** How far a text is read. An object, and functions that take it: closures would be made again for each dictionary. */
interface Cursor {
  readonly text: string
  at: number
  /** Whether the member that is read has been spelt as a serialiser prints it, so far. */
  isPrinted: boolean
}

/**
 * Reads a dictionary (RFC 9651 §4.2.2) in every spelling that the RFC's grammar allows, in linear time. Undefined for any
 * other text, and for those that two readers could take for two values: a key or a parameter that comes twice, of which the
 * RFC takes the last, and base64 without its padding or with stray bits. Also for an empty one, and for more than 4096
 * characters.
 */
export function parseDictionary(text: string): ReadonlyMap<string, Member> | undefined {
  if (text.length > MAX_LENGTH) return undefined
  const cursor: Cursor = { text, at: 0, isPrinted: true }
  const members = new Map<string, Member>()
  skipSpaces(cursor)
  do {
    if (members.size > 0) skipWhitespace(cursor)
    const key = takeKey(cursor)
    if (key === undefined || members.has(key)) return undefined
    const start = cursor.at + 1
    cursor.isPrinted = true
    const value = !skip(cursor, EQUALS) ? true : skip(cursor, OPEN) ? innerList(cursor) : bareItem(cursor)
    const own = value === undefined ? undefined : parameters(cursor)
    if (value === undefined || own === undefined) return undefined
    members.set(key, { value, parameters: own, printed: cursor.isPrinted ? text.slice(start, cursor.at) : undefined })
    skipWhitespace(cursor)
  } while (skip(cursor, COMMA))
  return cursor.at === text.length ? members : undefined
}

function take(cursor: Cursor, pattern: RegExp): string | undefined {
  const start = cursor.at
  pattern.lastIndex = start
  if (!pattern.test(cursor.text)) return undefined
  cursor.at = pattern.lastIndex
  return cursor.text.slice(start, cursor.at)
}

function takeKey(cursor: Cursor): string | undefined {
  const { text, at: start } = cursor
  if (OF_KEYS[text.charCodeAt(start)] !== 2) return undefined
  let end = start + 1
  while ((OF_KEYS[text.charCodeAt(end)] ?? 0) !== 0) end += 1
  cursor.at = end
  return text.slice(start, end)
}

/** What is between its quotes (RFC 9651 §3.3.3). */
function takeString(cursor: Cursor): string | undefined {
  const { text, at } = cursor
  let hasEscapes = false
  for (let end = at + 1; end < text.length; end += 1) {
    const code = text.charCodeAt(end)
    if (code === QUOTE) {
      cursor.at = end + 1
      const content = text.slice(at + 1, end)
      return hasEscapes ? content.replace(/\\(.)/g, '$1') : content
    }
    if (code === BACKSLASH) {
      hasEscapes = true
      end += 1
      const escaped = text.charCodeAt(end)
      if (escaped !== QUOTE && escaped !== BACKSLASH) return undefined
    } else if (code < SPACE || code > 0x7e) return undefined
  }
  return undefined
}

function skip(cursor: Cursor, separator: number): boolean {
  if (cursor.text.charCodeAt(cursor.at) !== separator) return false
  cursor.at += 1
  return true
}

/** Returns how many they were. */
function skipSpaces(cursor: Cursor): number {
  const start = cursor.at
  while (cursor.text.charCodeAt(cursor.at) === SPACE) cursor.at += 1
  return cursor.at - start
}

/** Optional whitespace (RFC 9110 §5.6.3), which is allowed around a comma; elsewhere only spaces are. */
function skipWhitespace(cursor: Cursor): void {
  for (;;) {
    const code = cursor.text.charCodeAt(cursor.at)
    if (code !== SPACE && code !== TAB) return
    cursor.at += 1
  }
}

function bareItem(cursor: Cursor): BareItem | undefined {
  const first = cursor.text.charCodeAt(cursor.at)
  if (first === QUOTE) return takeString(cursor)
  if (first === COLON) return bytesOf(take(cursor, BYTES))
  const integer = take(cursor, INTEGER)
  if (integer !== undefined) return integerOf(cursor, integer)
  if (cursor.text[cursor.at] === '?') return booleanOf(take(cursor, BOOLEAN))
  if (cursor.text[cursor.at] === '%') return isDisplayString(take(cursor, DISPLAY_STRING)) ? UNUSED : undefined
  return (take(cursor, TOKEN) ?? take(cursor, DECIMAL) ?? take(cursor, DATE)) === undefined ? undefined : UNUSED
}

function parameters(cursor: Cursor): Parameters | undefined {
  if (!skip(cursor, SEMICOLON)) return NONE
  const found = new Map<string, BareItem>()
  do {
    if (skipSpaces(cursor) > 0) cursor.isPrinted = false
    const key = takeKey(cursor)
    if (key === undefined || found.has(key)) return undefined
    const isGiven = skip(cursor, EQUALS)
    const value = isGiven ? bareItem(cursor) : true
    if (value === undefined) return undefined
    // It is printed without a value.
    if (isGiven && value === true) cursor.isPrinted = false
    found.set(key, value)
  } while (skip(cursor, SEMICOLON))
  return found
}

interface KnownList {
  readonly items: readonly Item[]
  readonly isPrinted: boolean
}

/** Lists by their text, which is the same for all requests of one kind. They end at their first closing parenthesis. */
const lists = new Map<string, KnownList>()
const MAX_LISTS = 100
const MAX_KEPT_LENGTH = 300

/** What follows the opening parenthesis. */
function innerList(cursor: Cursor): readonly Item[] | undefined {
  const { text, at } = cursor
  const end = text.indexOf(')', at) + 1
  const known = end === 0 || end - at > MAX_KEPT_LENGTH ? undefined : listOf(text.slice(at, end))
  if (known === undefined) return readInnerList(cursor)
  cursor.at = end
  if (!known.isPrinted) cursor.isPrinted = false
  return known.items
}

/** Undefined for a text that is not one whole list. */
function listOf(part: string): KnownList | undefined {
  const known = lists.get(part)
  if (known !== undefined) return known
  // A copy: a part of the field would keep all of it.
  const text = Buffer.from(part, 'latin1').toString('latin1')
  const cursor: Cursor = { text, at: 0, isPrinted: true }
  const items = text === part ? readInnerList(cursor) : undefined
  if (items === undefined || cursor.at !== text.length) return undefined
  // A sender that makes them up has them read again, and no more.
  if (lists.size === MAX_LISTS) lists.clear()
  const read = { items, isPrinted: cursor.isPrinted }
  lists.set(text, read)
  return read
}

function readInnerList(cursor: Cursor): readonly Item[] | undefined {
  const items: Item[] = []
  let spaces = skipSpaces(cursor)
  while (!skip(cursor, CLOSE)) {
    if (spaces !== (items.length > 0 ? 1 : 0)) cursor.isPrinted = false
    if (items.length > 0 && spaces === 0) return undefined
    const value = bareItem(cursor)
    const own = value === undefined ? undefined : parameters(cursor)
    if (value === undefined || own === undefined) return undefined
    items.push({ value, parameters: own })
    spaces = skipSpaces(cursor)
  }
  if (spaces > 0) cursor.isPrinted = false
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

/** A serialiser prints neither leading zeros nor a negative zero. */
function integerOf(cursor: Cursor, text: string): number {
  const value = Number(text)
  if (String(value) !== text) cursor.isPrinted = false
  return value
}

function bytesOf(enclosed: string | undefined): Uint8Array | undefined {
  return enclosed === undefined ? undefined : Buffer.from(enclosed.slice(1, -1), 'base64')
}
