import { randomFillSync } from 'node:crypto'
import { sha256 } from '@countersign/core/gate-kit'

/** The digits of base62, by value. */
export const ALPHABET = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
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
