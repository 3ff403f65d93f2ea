import { isUtf8 } from 'node:buffer'

const QUOTE = 0x22
const BACKSLASH = 0x5c
const COLON = 0x3a

/**
 * The value of a JSON text (RFC 8259), or undefined if the bytes are not UTF-8, not JSON, or contain an object with a
 * duplicate member: parsers disagree about which of the two counts. Linear in the length of the text.
 */
export function parseStrictJson(bytes: Buffer): unknown {
  if (!isUtf8(bytes)) return undefined
  try {
    const text = bytes.toString('utf8')
    const value: unknown = JSON.parse(text)
    return countColons(text) === countMembers(value) ? value : undefined
  } catch {
    return undefined
  }
}

/** In JSON text, each colon outside a string is one member. A duplicate member is in the text, but not in the parsed value. */
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

function countMembers(root: unknown): number {
  let count = 0
  // A list instead of recursion: the sender chooses the depth.
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
