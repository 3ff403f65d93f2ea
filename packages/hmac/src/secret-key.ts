import { createSecretKey, type KeyObject } from 'node:crypto'
import { OptionError } from '@countersign/core'
import { option, type RuleBuilder } from '@countersign/core/gate-kit'

/** The shortest secret in bytes: a shorter one could be found by trying. */
export const MIN_SECRET_BYTES: number = 32

/** The rule of an option that holds a secret; {@link secretKey} checks its length. */
export function secretRule(): RuleBuilder<string | Uint8Array> {
  const accept = (value: unknown) => (typeof value === 'string' || value instanceof Uint8Array ? value : undefined)
  return option.custom<string | Uint8Array>(`a secret of at least ${MIN_SECRET_BYTES} bytes`, accept).secret()
}

/**
 * Makes a key of a secret. A text stands for its UTF-8 bytes; there is no other encoding.
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
