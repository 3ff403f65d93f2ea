/** One secret for all named callers: the name that its rows carry. */
export const SHARED_CALLER = '*shared*'

/** What a caller's name is. */
export const CALLER_PATTERN: RegExp = /^[a-z0-9][a-z0-9._-]{0,63}$/
const TIMESTAMP = /^(0|[1-9]\d{0,10})$/
const VERSION = /^[1-9]\d{0,9}$/
const HEX_256 = /^[0-9a-f]{64}$/
/** The highest version of a secret. */
export const MAX_VERSION: number = 2 ** 31 - 1
/** An audience: a host, with its port when that is not the scheme's own. */
export const AUDIENCE_PATTERN: RegExp =
  /^(?:[A-Za-z0-9](?:[A-Za-z0-9._-]{0,252})|\[[0-9A-Fa-f:.]{2,45}\])(?::[1-9]\d{0,4})?$/

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
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex')
}

/** Whether a name can be a caller's. */
export function isCaller(text: string): boolean {
  return CALLER_PATTERN.test(text)
}
