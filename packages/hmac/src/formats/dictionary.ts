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

/**
 * Reads a dictionary (RFC 9651 §3.2) in the one spelling that a serialiser prints, in linear time. Undefined for every
 * other text: a key or a parameter that comes twice, of which a parser by the RFC takes the last, other white space, base64
 * with stray bits, items that message signatures do not use, more than 4096 characters.
 */
export function parseDictionary(text: string): ReadonlyMap<string, Member> | undefined {
  if (text.length > MAX_LENGTH) return undefined
  const members = new Map<string, Member>()
  let at = 0

  function take(pattern: RegExp): string | undefined {
    const start = at
    pattern.lastIndex = start
    if (!pattern.test(text)) return undefined
    at = pattern.lastIndex
    return text.slice(start, at)
  }

  function isNext(separator: string): boolean {
    if (!text.startsWith(separator, at)) return false
    at += separator.length
    return true
  }

  function bareItem(): BareItem | undefined {
    const first = text[at]
    if (first === '"') return stringOf(take(STRING))
    if (first === ':') return bytesOf(take(BYTES))
    const integer = take(INTEGER)
    return integer === undefined ? undefined : Number(integer)
  }

  function parameters(): Parameters | undefined {
    if (text[at] !== ';') return NONE
    const found = new Map<string, BareItem>()
    while (isNext(';')) {
      const key = take(KEY)
      const value = isNext('=') ? bareItem() : true
      if (key === undefined || value === undefined || found.has(key)) return undefined
      found.set(key, value)
    }
    return found
  }

  function item(): Item | undefined {
    const value = bareItem()
    const own = value === undefined ? undefined : parameters()
    return value === undefined || own === undefined ? undefined : { value, parameters: own }
  }

  function innerList(): Omit<Member, 'text'> | undefined {
    const value: Item[] = []
    while (!isNext(')')) {
      const one = value.length === 0 || isNext(' ') ? item() : undefined
      if (one === undefined) return undefined
      value.push(one)
    }
    const own = parameters()
    return own === undefined ? undefined : { value, parameters: own }
  }

  do {
    const key = take(KEY)
    if (key === undefined || !isNext('=') || members.has(key)) return undefined
    const start = at
    const member = isNext('(') ? innerList() : item()
    if (member === undefined) return undefined
    members.set(key, { ...member, text: text.slice(start, at) })
  } while (isNext(', '))
  return at === text.length ? members : undefined
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
