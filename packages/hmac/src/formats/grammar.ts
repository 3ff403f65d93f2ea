import type { OptionAliases } from '@countersign/core/gate-kit'

/** What else the options of a format's window are called. */
export const WINDOW_ALIASES: OptionAliases = {
  windowseconds: 'windowBackSeconds',
  window: 'windowBackSeconds',
  maxage: 'windowBackSeconds',
  clocktolerance: 'windowAheadSeconds',
  clockskew: 'windowAheadSeconds',
}

/** The caller under which one secret for all named callers is stored. */
export const SHARED_CALLER = '*shared*'

/** What a caller's name is. */
export const CALLER_PATTERN: RegExp = /^[a-z0-9][a-z0-9._-]{0,63}$/
/** A nonce that we send: visible ASCII. */
export const NONCE_PATTERN: RegExp = /^[\x21-\x7e]{1,128}$/
const TIMESTAMP = /^(0|[1-9]\d{0,10})$/
const VERSION = /^[1-9]\d{0,9}$/
const HEX_256 = /^[0-9a-f]{64}$/
// What a request line can carry of an origin-form target (RFC 9112 §3.2.1): no space, no control, no fragment.
const ORIGIN_FORM = /^\/[^\x00-\x20\x7f#]*$/
/** The highest version of a secret. */
export const MAX_VERSION: number = 2 ** 31 - 1
/** An audience: a host, with its port when that is not the scheme's own. */
export const AUDIENCE_PATTERN: RegExp =
  /^(?:[A-Za-z0-9](?:[A-Za-z0-9._-]{0,252})|\[[0-9A-Fa-f:.]{2,45}\])(?::[1-9]\d{0,4})?$/

/** The name of a field that can be covered, in lower case (RFC 9421 §2.1). */
export const FIELD_NAME_PATTERN: RegExp = /^[a-z0-9!#$%&'*+.^_`|~-]{1,64}$/
const FIELD_NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/
const FIELD_VALUE = /^[\t\x20-\x7e\x80-\xff]*$/

/** Whether a header field can be sent (RFC 9110 §5.1, §5.5): a line end in its value would make another line of the signed text. */
export function isField(name: string, value: string): boolean {
  return FIELD_NAME.test(name) && FIELD_VALUE.test(value)
}

/** Unix seconds in their one decimal form, else undefined. */
export function parseTimestamp(text: string): number | undefined {
  return TIMESTAMP.test(text) ? Number(text) : undefined
}

/** A secret's version: a positive 32-bit integer in its one decimal form, else undefined. */
export function parseVersion(text: string): number | undefined {
  const version = VERSION.test(text) ? Number(text) : Number.POSITIVE_INFINITY
  return version <= MAX_VERSION ? version : undefined
}

/** 64 lower-case hex digits as 32 bytes, else undefined. */
export function parseHex256(text: string): Buffer | undefined {
  return HEX_256.test(text) ? Buffer.from(text, 'hex') : undefined
}

/** Bytes as lower-case hex digits. */
export function toHex(bytes: Uint8Array): string {
  const buffer = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  return buffer.toString('hex')
}

/** Whether a name can be a caller's. */
export function isCaller(text: string): boolean {
  return CALLER_PATTERN.test(text)
}

/** A request target in its parts, raw. */
export interface Target {
  readonly path: string
  /** With its leading `?`; undefined when there is no `?`. */
  readonly query: string | undefined
}

/** Whether a target has the origin form: an absolute one would name an authority beside the audience. */
export function isOriginForm(target: string): boolean {
  return ORIGIN_FORM.test(target)
}

/** Splits an origin-form target without touching a byte of it. Undefined for every other form. */
export function splitTarget(target: string): Target | undefined {
  if (!isOriginForm(target)) return undefined
  const mark = target.indexOf('?')
  return mark === -1 ? { path: target, query: undefined } : { path: target.slice(0, mark), query: target.slice(mark) }
}

/**
 * A field value without the optional whitespace around it (RFC 9110 §5.5). `trim()` would also take a no-break space, a
 * byte that is signed; a regular expression would take quadratic time for a run of spaces within the value.
 */
export function withoutWhitespaceAround(value: string | undefined): string | undefined {
  if (value === undefined) return undefined
  let start = 0
  let end = value.length
  // Nothing is no whitespace: each ends where the value does.
  while (isWhitespace(value[start])) start += 1
  while (isWhitespace(value[end - 1])) end -= 1
  return value.slice(start, end)
}

function isWhitespace(character: string | undefined): boolean {
  return character === ' ' || character === '\t'
}
