import { parseStrictJson } from '@countersign/core/gate-kit'

const ALPHABET = /^[A-Za-z0-9_-]*$/
/** What the last character may be if 2 or 4 of its bits are unused, by the length modulo 4. */
const LAST = [undefined, undefined, 'AQgw', 'AEIMQUYcgkosw048'] as const

/**
 * The bytes of canonical base64url (RFC 4648 §5, §3.5: no padding, no other characters, unused bits zero), or undefined.
 * Without this rule one token has many spellings, and a list of revoked tokens can be bypassed.
 */
export function decodeBase64url(text: string): Buffer | undefined {
  const rest = text.length % 4
  if (rest === 1 || !ALPHABET.test(text)) return undefined
  if (LAST[rest]?.includes(text.at(-1) as string) === false) return undefined
  return Buffer.from(text, 'base64url')
}

/** A JSON object. */
export type JsonObject = Readonly<Record<string, unknown>>

/**
 * The object in these bytes, or undefined if they are not UTF-8, not JSON, not an object, or contain an object with a
 * duplicate member: parsers disagree about which of the two counts (RFC 7519 §4, RFC 8259 §4). Its members that are `null`
 * are left out: issuers write them for what they do not know.
 */
export function parseJsonObject(bytes: Buffer): JsonObject | undefined {
  const value = parseStrictJson(bytes)
  if (!isJsonObject(value)) return undefined
  // What it does not say, no prototype may say.
  const object = Object.setPrototypeOf(value, null) as Record<string, unknown>
  for (const name of Object.keys(object)) if (object[name] === null) delete object[name]
  return object
}

/** Whether a value is an object and not an array. */
export function isJsonObject(value: unknown): value is JsonObject {
  return value !== null && typeof value === 'object' && !Array.isArray(value)
}

/** Freezes a JSON value and everything in it, and returns it. */
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
