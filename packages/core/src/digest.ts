import { hash, timingSafeEqual } from 'node:crypto'

/** SHA-256 of a string's UTF-8 bytes or of bytes: 32 bytes. */
export function sha256(data: string | Uint8Array): Buffer {
  // As text and back: a digest that comes as a buffer costs five times as much.
  return Buffer.from(hash('sha256', data, 'binary'), 'latin1')
}

/**
 * Compares two secrets in constant time, whatever their lengths: over their SHA-256 digests, with
 * `timingSafeEqual`.
 */
export function secretsEqual(a: string | Uint8Array, b: string | Uint8Array): boolean {
  return timingSafeEqual(sha256(a), sha256(b))
}
