import { KeyObject } from 'node:crypto'
import { types } from 'node:util'
import { OptionError } from '@countersign/core'
import { option, resolveOptions } from '@countersign/core/gate-kit'
import type { CryptoKey } from 'jose'
import type { IntrospectionMode } from '../issuers/issuer.js'
import { urlRule } from '../issuers/url-rule.js'
import { ASYMMETRIC_ALGORITHMS, keyTypeOf } from '../jwt/algorithms.js'

/** How this resource asks an issuer about a token (RFC 7662). */
export interface IntrospectionOptions {
  /** Default: the `introspection_endpoint` of the issuer's metadata. */
  readonly endpoint?: string
  /** This resource as a client of the authorization server. */
  readonly clientId: string
  /** For the first two methods. */
  readonly clientSecret?: string
  /** For `private_key_jwt`. */
  readonly privateKey?: CryptoKey | KeyObject
  /** The `kid` of the private key. */
  readonly keyId?: string
  /** What the private key signs with. Default RS256. */
  readonly signingAlgorithm?: string
  /** Default: `client_secret_basic`, or `private_key_jwt` when there is a private key. */
  readonly authMethod?: 'client_secret_basic' | 'client_secret_post' | 'private_key_jwt'
  /**
   * When a JWT of an issuer of kind `mixed` is introspected as well.
   *
   * - `'opaque-only'`: never.
   * - `'keys-unavailable'` (default): when its keys cannot be had.
   * - `'always'`: after it was verified, so that a revocation counts within `cacheSeconds`; or in place of missing keys.
   * - `'any-failure'`: whenever it was not verified. The widest: what this gate refuses, the endpoint can let in.
   */
  readonly mode?: IntrospectionMode
  /** Takes tokens that the endpoint tells no audience of. Only when the endpoint knows of this resource's tokens alone. */
  readonly allowMissingAudience?: boolean
  /** For all of it, a retry included. Default 2000. */
  readonly timeoutMs?: number
  /** Questions at once; beyond that the gate answers 503. Default 50. */
  readonly maxConcurrent?: number
  /** How long an active answer is kept, never past the token's expiry. Default 30, which is the most. */
  readonly cacheSeconds?: number
}

const rules = {
  endpoint: urlRule(),
  clientId: option.string().required(),
  clientSecret: option.string().secret(),
  privateKey: option
    .custom<CryptoKey | KeyObject>('a private CryptoKey or KeyObject', (value) =>
      (value instanceof KeyObject || types.isCryptoKey(value)) && value.type === 'private' ? value : undefined,
    )
    .secret(),
  keyId: option.string(),
  signingAlgorithm: option.oneOf(...ASYMMETRIC_ALGORITHMS).default('RS256'),
  authMethod: option.oneOf('client_secret_basic', 'client_secret_post', 'private_key_jwt'),
  mode: option.oneOf('opaque-only', 'keys-unavailable', 'always', 'any-failure').default('keys-unavailable'),
  allowMissingAudience: option.boolean().default(false),
  timeoutMs: option.integer(1, 30_000).default(2000),
  maxConcurrent: option.integer(1, 10_000).default(50),
  cacheSeconds: option.integer(0, 30).default(30),
}

const KEY_TYPES: Readonly<Record<string, string>> = { rsa: 'RSA', ec: 'EC', ed25519: 'OKP' }

function canSign(privateKey: CryptoKey | KeyObject, algorithm: string): boolean {
  const { asymmetricKeyType = '' } = privateKey instanceof KeyObject ? privateKey : KeyObject.from(privateKey)
  return KEY_TYPES[asymmetricKeyType] === keyTypeOf(algorithm)
}

export type CheckedIntrospectionOptions = ReturnType<typeof checkIntrospectionOptions>

/** @throws {OptionError} */
export function checkIntrospectionOptions(options: object, path: string) {
  const checked = resolveOptions('requireOAuthBearer', options, rules, path)
  const { privateKey, clientSecret } = checked
  const authMethod = checked.authMethod ?? (privateKey === undefined ? 'client_secret_basic' : 'private_key_jwt')
  const name = authMethod === 'private_key_jwt' ? 'privateKey' : 'clientSecret'
  if ((name === 'privateKey' ? privateKey : clientSecret) === undefined) {
    throw new OptionError(
      'ERR_COUNTERSIGN_OPTION_MISSING',
      `${path}${name}`,
      `requireOAuthBearer: option "${path}${name}" is required for ${authMethod}`,
    )
  }
  if (authMethod === 'private_key_jwt' && privateKey !== undefined && !canSign(privateKey, checked.signingAlgorithm)) {
    throw new OptionError(
      'ERR_COUNTERSIGN_OPTION_INVALID',
      `${path}signingAlgorithm`,
      `requireOAuthBearer: option "${path}signingAlgorithm" ${checked.signingAlgorithm} is none of this private key's`,
    )
  }
  return { ...checked, authMethod }
}
