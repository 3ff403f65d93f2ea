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
const KEY = /[a-z*][a-z0-9_.*-]*/y
const STRING = /"([ !#-[\]-~]*(?:\\["\\][ !#-[\]-~]*)*)"/y
const INTEGER = /(?:0|-?[1-9]\d{0,14})(?![\d.])/y
const BYTES = /:([A-Za-z0-9+/]*={0,2}):/y
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

  function take(pattern: RegExp): RegExpExecArray | null {
    pattern.lastIndex = at
    const match = pattern.exec(text)
    if (match !== null) at = pattern.lastIndex
    return match
  }

  function isNext(separator: string): boolean {
    if (!text.startsWith(separator, at)) return false
    at += separator.length
    return true
  }

  function bareItem(): BareItem | undefined {
    if (text[at] === '"') return take(STRING)?.[1]?.replace(/\\(.)/g, '$1')
    if (text[at] === ':') return bytesOf(take(BYTES)?.[1])
    const digits = take(INTEGER)?.[0]
    return digits === undefined ? undefined : Number(digits)
  }

  function parameters(): Parameters | undefined {
    if (text[at] !== ';') return NONE
    const found = new Map<string, BareItem>()
    while (isNext(';')) {
      const key = take(KEY)?.[0]
      const value = isNext('=') ? bareItem() : true
      if (key === undefined || value === undefined || found.has(key)) return undefined
      found.set(key, value)
    }
    return found
  }

  function withParameters<T>(value: T | undefined): { value: T; parameters: Parameters } | undefined {
    const own = value === undefined ? undefined : parameters()
    return value === undefined || own === undefined ? undefined : { value, parameters: own }
  }

  function innerList(): readonly Item[] | undefined {
    const items: Item[] = []
    while (!isNext(')')) {
      const item = items.length === 0 || isNext(' ') ? withParameters(bareItem()) : undefined
      if (item === undefined) return undefined
      items.push(item)
    }
    return items
  }

  do {
    const key = take(KEY)?.[0]
    if (key === undefined || members.has(key) || !isNext('=')) return undefined
    const start = at
    const member = withParameters<BareItem | readonly Item[]>(isNext('(') ? innerList() : bareItem())
    if (member === undefined) return undefined
    members.set(key, { ...member, text: text.slice(start, at) })
  } while (isNext(', '))
  return at === text.length ? members : undefined
}

/** The bytes of base64 that has its padding and no stray bits. */
function bytesOf(base64: string | undefined): Uint8Array | undefined {
  if (base64 === undefined) return undefined
  const bytes = Buffer.from(base64, 'base64')
  return bytes.toString('base64') === base64 ? bytes : undefined
}
