import { createSecretKey, type KeyObject } from 'node:crypto'
import { OptionError } from '@countersign/core'

/** A shorter one could be found by trying. */
export const MIN_SECRET_BYTES = 32

/**
 * A secret as a key: a text is its UTF-8 bytes, there is no other encoding.
 *
 * @throws {OptionError} `ERR_COUNTERSIGN_OPTION_INVALID` when it is shorter than 32 bytes.
 */
export function secretKey(owner: string, name: string, secret: string | Uint8Array): KeyObject {
  const bytes = typeof secret === 'string' ? Buffer.from(secret, 'utf8') : secret
  if (!(bytes instanceof Uint8Array) || bytes.length < MIN_SECRET_BYTES) {
    throw new OptionError(
      'ERR_COUNTERSIGN_OPTION_INVALID',
      name,
      `${owner}: "${name}" must be a secret of at least ${MIN_SECRET_BYTES} bytes: make one with "openssl rand -base64 48"`,
    )
  }
  return createSecretKey(bytes)
}
