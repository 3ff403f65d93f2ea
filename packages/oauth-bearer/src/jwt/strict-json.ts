import { isUtf8 } from 'node:buffer'

const QUOTE = 0x22
const BACKSLASH = 0x5c
const COLON = 0x3a

/** A JSON object. */
export type JsonObject = Readonly<Record<string, unknown>>

/**
 * The object in these bytes, or undefined when they are not UTF-8, not JSON, not an object, or hold an object with one
 * member twice: parsers differ on which of the two counts (RFC 7519 §4, RFC 8725 §2.4).
 */
export function parseJsonObject(bytes: Buffer): JsonObject | undefined {
  if (!isUtf8(bytes)) return undefined
  try {
    const text = bytes.toString('utf8')
    const value: unknown = JSON.parse(text)
    if (!isJsonObject(value) || countColons(text) !== countMembers(value)) return undefined
    return value
  } catch {
    return undefined
  }
}

export function isJsonObject(value: unknown): value is JsonObject {
  return value !== null && typeof value === 'object' && !Array.isArray(value)
}

/** In JSON text, each colon outside of strings is one member. A doubled member is there, but not in what was parsed. */
function countColons(text: string): number {
  let count = 0
  let isInString = false
  for (let index = 0; index < text.length; index += 1) {
    const code = text.charCodeAt(index)
    if (code === QUOTE) isInString = !isInString
    else if (isInString && code === BACKSLASH) index += 1
    else if (code === COLON && !isInString) count += 1
  }
  return count
}

function countMembers(root: JsonObject): number {
  let count = 0
  // A list instead of recursion: the depth is the sender's to choose.
  const pending: unknown[] = [root]
  while (pending.length > 0) {
    const value = pending.pop()
    if (value === null || typeof value !== 'object') continue
    const children = Object.values(value)
    if (!Array.isArray(value)) count += children.length
    for (const child of children) if (child !== null && typeof child === 'object') pending.push(child)
  }
  return count
}

/** Freezes a JSON value all through, and returns it. */
export function deepFreeze<T>(root: T): T {
  const pending: unknown[] = [root]
  while (pending.length > 0) {
    const value = pending.pop()
    if (value === null || typeof value !== 'object' || Object.isFrozen(value)) continue
    Object.freeze(value)
    for (const child of Object.values(value)) pending.push(child)
  }
  return root
}
