import { randomBytes } from 'node:crypto'
import { sha256 } from '@countersign/core'

const ALPHABET = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
/** The largest multiple of 62 in a byte: bytes from there on would favour the first letters. */
const FAIR = 248

/** `length` letters of base62, each equally likely: 43 of them hold 256 bits. */
export function randomBase62(length: number): string {
  let text = ''
  while (text.length < length) {
    for (const byte of randomBytes(length)) {
      if (byte < FAIR && text.length < length) text += ALPHABET[byte % 62]
    }
  }
  return text
}

/** A short hash of a text: `length` letters, at most 32, of its SHA-256. It names, it does not prove. */
export function shortHash(domain: string, text: string, length: number): string {
  const digest = sha256(`${domain}\0${text}`)
  let hash = ''
  for (let index = 0; index < length; index += 1) hash += ALPHABET[(digest[index] as number) % 62]
  return hash
}

/** A number below 62^length with leading zeros. */
export function numberToBase62(value: number, length: number): string {
  let text = ''
  for (let rest = value; text.length < length; rest = Math.floor(rest / 62)) text = ALPHABET[rest % 62] + text
  return text
}
