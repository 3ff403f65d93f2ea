import { KeyObject } from 'node:crypto'
import { types } from 'node:util'
import { OptionError } from '@countersign/core'
import { option, resolveOptions } from '@countersign/core/gate-kit'
import type { CryptoKey } from 'jose'
import { askedUrlRule } from '../http/url-rule.js'
import { ASYMMETRIC_ALGORITHMS, algorithmOf } from '../keys/algorithms.js'

/** When a JWT of an issuer of kind `mixed` is introspected: see {@link IntrospectionOptions.mode}. */
export type IntrospectionMode = 'opaque-only' | 'keys-unavailable' | 'always' | 'any-failure'

/** How this resource asks an issuer about a token (RFC 7662). */
export interface IntrospectionOptions {
  /** Default: the `introspection_endpoint` of the issuer's metadata. */
  readonly endpoint?: string | undefined
  /** This resource as a client of the authorization server. */
  readonly clientId: string
  /** For `client_secret_basic` and `client_secret_post`. */
  readonly clientSecret?: string | undefined
  /** For `private_key_jwt`. */
  readonly privateKey?: CryptoKey | KeyObject | undefined
  /** The `kid` of the private key. */
  readonly keyId?: string | undefined
  /** The algorithm of the private key. Default RS256. */
  readonly signingAlgorithm?: string | undefined
  /** Default: `client_secret_basic`, or `private_key_jwt` if there is a private key. */
  readonly authMethod?: 'client_secret_basic' | 'client_secret_post' | 'private_key_jwt' | undefined
  /**
   * When a JWT of an issuer of kind `mixed` is introspected as well.
   *
   * - `'opaque-only'`: never.
   * - `'keys-unavailable'` (default): if the issuer's keys are unavailable.
   * - `'always'`: also after it was verified, so that a revocation takes effect within `cacheSeconds`. The principal is the
   *   JWT's; the endpoint can refuse it, take scopes away, and end it earlier.
   * - `'any-failure'`: whenever it was not verified. The widest mode: the endpoint can accept what this gate refuses.
   */
  readonly mode?: IntrospectionMode | undefined
  /** Accepts tokens without an audience. Only for an endpoint that knows nothing but this resource's tokens. */
  readonly allowMissingAudience?: boolean | undefined
  /** For everything, including a retry. Default 2000. */
  readonly timeoutMs?: number | undefined
  /**
   * Questions at the same time about tokens that were active before or whose signature is verified, and as many about others;
   * beyond that the gate answers 503. Default 50.
   */
  readonly maxConcurrent?: number | undefined
  /** How long an active answer is cached, never past the token's expiry. Default 30, which is the maximum. */
  readonly cacheSeconds?: number | undefined
  /**
   * For how long after that an active answer counts while the endpoint fails. A token that is revoked meanwhile is accepted
   * for as long. Default 0, at most 3600.
   */
  readonly staleIfErrorSeconds?: number | undefined
}

const rules = {
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
  cacheSeconds: option.seconds(0, 30).default(30),
  staleIfErrorSeconds: option.seconds(0, 3600).default(0),
}

const KEY_TYPES: Readonly<Record<string, string>> = { rsa: 'RSA', ec: 'EC', ed25519: 'OKP' }

type Defaulted =
  | 'signingAlgorithm'
  | 'authMethod'
  | 'mode'
  | 'allowMissingAudience'
  | 'timeoutMs'
  | 'maxConcurrent'
  | 'cacheSeconds'
  | 'staleIfErrorSeconds'

/** The options with their defaults. */
export type CheckedIntrospectionOptions = IntrospectionOptions & {
  readonly [K in Defaulted]: NonNullable<IntrospectionOptions[K]>
}

function canSign(privateKey: CryptoKey | KeyObject, algorithm: string): boolean {
  const { asymmetricKeyType = '' } = privateKey instanceof KeyObject ? privateKey : KeyObject.from(privateKey)
  return KEY_TYPES[asymmetricKeyType] === algorithmOf(algorithm).kty
}

/** @throws {OptionError} */
export function checkIntrospectionOptions(
  options: object,
  path: string,
  httpOrigins: readonly string[],
): CheckedIntrospectionOptions {
  const checked = resolveOptions('requireOAuthBearer', options, { endpoint: askedUrlRule(httpOrigins), ...rules }, path)
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
      `requireOAuthBearer: option "${path}signingAlgorithm" ${checked.signingAlgorithm} is not an algorithm of this private key`,
    )
  }
  return { ...checked, authMethod }
}
