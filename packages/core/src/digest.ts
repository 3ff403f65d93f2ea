import { hash, timingSafeEqual } from 'node:crypto'

/** SHA-256 of a string's UTF-8 bytes or of bytes: 32 bytes. */
export function sha256(data: string | Uint8Array): Buffer {
  return digest('sha256', data)
}

/** The digest of a string's UTF-8 bytes or of bytes, by an algorithm of `node:crypto`. */
export function digest(algorithm: string, data: string | Uint8Array): Buffer {
  // As text and back: a digest that comes as a buffer costs twice as much.
  return Buffer.from(hash(algorithm, data, 'binary'), 'latin1')
}

/**
 * Compares two secrets in constant time, whatever their lengths: over their SHA-256 digests, with
 * `timingSafeEqual`.
 */
export function secretsEqual(a: string | Uint8Array, b: string | Uint8Array): boolean {
  return timingSafeEqual(sha256(a), sha256(b))
}
