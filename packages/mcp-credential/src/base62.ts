import { randomFillSync } from 'node:crypto'
import { sha256 } from '@countersign/core/gate-kit'

/** The digits of base62, by value. */
export const ALPHABET = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
/** The value of each digit by its character code, and of what is none {@link BASE}. */
const BASE = 62
const VALUES = new Uint8Array(128).fill(BASE)
for (let value = 0; value < BASE; value += 1) VALUES[ALPHABET.charCodeAt(value)] = value
/** The largest multiple of 62 in a byte: larger bytes would favour the first letters. */
const FAIR = 248

/** Random bytes come in bulk: a system call for each would be most of the cost of a token. */
const pool = Buffer.alloc(4096)
let used = pool.length

function randomByte(): number {
  if (used === pool.length) {
    randomFillSync(pool)
    used = 0
  }
  const byte = pool[used] as number
  pool[used] = 0
  used += 1
  return byte
}

/** `length` letters of base62, each equally likely: 43 of them hold 256 bits. */
export function randomBase62(length: number): string {
  let text = ''
  while (text.length < length) {
    const byte = randomByte()
    if (byte < FAIR) text += ALPHABET[byte % 62]
  }
  return text
}

/** A short hash of a text: `length` letters, at most 32, of its SHA-256. It locates; it proves nothing. */
export function shortHash(domain: string, text: string, length: number): string {
  const digest = sha256(`${domain}\0${text}`)
  let letters = ''
  for (let index = 0; index < length; index += 1) letters += ALPHABET[(digest[index] as number) % 62]
  return letters
}

/** Whether all letters of a part are base62. A regular expression takes three times as long. */
export function isBase62(text: string, from: number, to: number): boolean {
  for (let at = from; at < to; at += 1) if ((VALUES[text.charCodeAt(at)] ?? BASE) === BASE) return false
  return true
}

/** The number that a text ends with, from this letter on. */
export function numberFrom(text: string, from: number): number {
  let number = 0
  for (let at = from; at < text.length; at += 1) number = number * BASE + (VALUES[text.charCodeAt(at)] as number)
  return number
}
