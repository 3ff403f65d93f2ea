/** What RFC 9421 and RFC 9530 use of the bare items of RFC 9651 §3.3. `true` is only a parameter without a value. */
export type BareItem = string | number | Uint8Array | true

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
const INTEGER = /(?:0|-?[1-9]\d{0,14})(?![\d.])/y
const BYTES = /:[A-Za-z0-9+/]*={0,2}:/y
const NONE: Parameters = new Map()

/** How far a text is read. An object, and functions that take it: closures would be made again for each dictionary. */
interface Cursor {
  readonly text: string
  at: number
}

/**
 * Reads a dictionary (RFC 9651 §3.2) in the one spelling that a serialiser prints, in linear time. Undefined for every
 * other text: a key or a parameter that comes twice, of which a parser by the RFC takes the last, other white space, base64
 * with stray bits, items that message signatures do not use, more than 4096 characters.
 */
export function parseDictionary(text: string): ReadonlyMap<string, Member> | undefined {
  if (text.length > MAX_LENGTH) return undefined
  const cursor: Cursor = { text, at: 0 }
  const members = new Map<string, Member>()
  do {
    const key = take(cursor, KEY)
    if (key === undefined || !skip(cursor, '=') || members.has(key)) return undefined
    const start = cursor.at
    const value = skip(cursor, '(') ? innerList(cursor) : bareItem(cursor)
    const own = value === undefined ? undefined : parameters(cursor)
    if (value === undefined || own === undefined) return undefined
    members.set(key, { value, parameters: own, text: text.slice(start, cursor.at) })
  } while (skip(cursor, ', '))
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

function bareItem(cursor: Cursor): BareItem | undefined {
  const first = cursor.text[cursor.at]
  if (first === '"') return stringOf(take(cursor, STRING))
  if (first === ':') return bytesOf(take(cursor, BYTES))
  const integer = take(cursor, INTEGER)
  return integer === undefined ? undefined : Number(integer)
}

function parameters(cursor: Cursor): Parameters | undefined {
  if (cursor.text[cursor.at] !== ';') return NONE
  const found = new Map<string, BareItem>()
  while (skip(cursor, ';')) {
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
  while (!skip(cursor, ')')) {
    if (items.length > 0 && !skip(cursor, ' ')) return undefined
    const value = bareItem(cursor)
    const own = value === undefined ? undefined : parameters(cursor)
    if (value === undefined || own === undefined) return undefined
    items.push({ value, parameters: own })
  }
  return items
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
