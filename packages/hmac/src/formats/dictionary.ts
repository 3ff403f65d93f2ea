/** A token (RFC 9651 §3.3.4), told apart from a string. */
export interface Token {
  readonly token: string
}

/** A bare item (RFC 9651 §3.3), as far as message signatures have it: no decimals, dates and display strings. */
export type BareItem = string | number | boolean | Uint8Array | Token

/** The parameters of an item or of a list, by key. One without a value is `true`. */
export type Parameters = ReadonlyMap<string, BareItem>

/** One item of an inner list. */
export interface InnerItem {
  readonly value: BareItem
  readonly parameters: Parameters
}

/** One member of a dictionary: an item, or an inner list. */
export interface Member {
  /** An inner list's items; undefined for an item. */
  readonly items: readonly InnerItem[] | undefined
  /** An item's value; undefined for an inner list. */
  readonly value: BareItem | undefined
  readonly parameters: Parameters
  /** The member after its `key=`, as it was sent. */
  readonly text: string
}

const MAX_LENGTH = 4096
const KEY = /[a-z*][a-z0-9_.*-]*/y
const STRING = /"([ !#-[\]-~]*(?:\\["\\][ !#-[\]-~]*)*)"/y
const INTEGER = /(?:0|-?[1-9]\d{0,14})(?![\d.])/y
const BYTES = /:([A-Za-z0-9+/]*={0,2}):/y
const TOKEN = /[A-Za-z*][A-Za-z0-9!#$%&'*+.^_`|~:/-]*/y
const BOOLEAN = /\?([01])/y
const NO_PARAMETERS: Parameters = new Map()

/**
 * Reads a dictionary (RFC 9651 §3.2) in the one spelling that a serialiser prints, in linear time. Undefined for every
 * other text: a key or a parameter that comes twice, which a parser by the RFC passes over, other white space, base64 with
 * stray bits, more than 4096 characters.
 */
export function parseDictionary(text: string): ReadonlyMap<string, Member> | undefined {
  if (text === '' || text.length > MAX_LENGTH) return undefined
  const members = new Map<string, Member>()
  let at = 0

  function take(pattern: RegExp): RegExpExecArray | undefined {
    pattern.lastIndex = at
    const match = pattern.exec(text)
    if (match === null) return undefined
    at = pattern.lastIndex
    return match
  }

  function isNext(separator: string): boolean {
    if (!text.startsWith(separator, at)) return false
    at += separator.length
    return true
  }

  function bareItem(): BareItem | undefined {
    switch (text[at]) {
      case '"':
        return take(STRING)?.[1]?.replace(/\\(.)/g, '$1')
      case ':':
        return bytesOf(take(BYTES)?.[1])
      case '?': {
        const bit = take(BOOLEAN)?.[1]
        return bit === undefined ? undefined : bit === '1'
      }
    }
    const integer = take(INTEGER)?.[0]
    if (integer !== undefined) return Number(integer)
    const token = take(TOKEN)?.[0]
    return token === undefined ? undefined : { token }
  }

  /** What follows a key: `=` and a value, or nothing, which is the one way to write true. */
  function valueOfKey(): BareItem | undefined {
    if (!isNext('=')) return true
    const value = bareItem()
    return value === true ? undefined : value
  }

  function parameters(): Parameters | undefined {
    if (text[at] !== ';') return NO_PARAMETERS
    const found = new Map<string, BareItem>()
    while (isNext(';')) {
      const key = take(KEY)?.[0]
      const value = key === undefined ? undefined : valueOfKey()
      if (key === undefined || value === undefined || found.has(key)) return undefined
      found.set(key, value)
    }
    return found
  }

  function innerItem(): InnerItem | undefined {
    const value = bareItem()
    const own = value === undefined ? undefined : parameters()
    return value === undefined || own === undefined ? undefined : { value, parameters: own }
  }

  function innerList(): readonly InnerItem[] | undefined {
    const items: InnerItem[] = []
    while (!isNext(')')) {
      if (items.length > 0 && !isNext(' ')) return undefined
      const item = innerItem()
      if (item === undefined) return undefined
      items.push(item)
    }
    return items
  }

  function member(): Member | undefined {
    const start = at + 1
    const isList = isNext('=(')
    const items = isList ? innerList() : undefined
    const value = isList ? undefined : valueOfKey()
    const own = items === undefined && value === undefined ? undefined : parameters()
    return own === undefined ? undefined : { items, value, parameters: own, text: text.slice(start, at) }
  }

  do {
    const key = take(KEY)?.[0]
    const found = key === undefined || members.has(key) ? undefined : member()
    if (key === undefined || found === undefined) return undefined
    members.set(key, found)
  } while (isNext(', '))
  return at === text.length ? members : undefined
}

/** The bytes of base64 that has its padding and no stray bits. */
function bytesOf(base64: string | undefined): Uint8Array | undefined {
  if (base64 === undefined) return undefined
  const bytes = Buffer.from(base64, 'base64')
  return bytes.toString('base64') === base64 ? bytes : undefined
}
