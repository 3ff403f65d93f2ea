import { createHash, timingSafeEqual } from 'node:crypto'

/** SHA-256 of a string's UTF-8 bytes or of bytes: 32 bytes. */
export function sha256(data: string | Uint8Array): Buffer {
  return createHash('sha256').update(data).digest()
}

/**
 * Compares two secrets in a time that tells nothing of them, whatever their lengths: over their SHA-256 digests, with
 * `timingSafeEqual`.
 */
export function secretsEqual(a: string | Uint8Array, b: string | Uint8Array): boolean {
  return timingSafeEqual(sha256(a), sha256(b))
}
