import { constants } from 'node:crypto'

/** One signature algorithm: which keys it takes and how `node:crypto` is asked. */
export interface Algorithm {
  /** `kty` and, where it is not RSA, `crv` of the keys (RFC 7518 §6, RFC 8037 §2); `oct` is a shared secret. */
  readonly kty: 'RSA' | 'EC' | 'OKP' | 'oct'
  readonly crv?: string
  /** Undefined for Ed25519, which hashes by itself. */
  readonly digest: 'sha256' | 'sha384' | 'sha512' | undefined
  /** Bytes of a signature. An RSA signature is as long as the modulus, which OpenSSL checks. */
  readonly length?: number
  /** Further parameters of `crypto.verify`. */
  readonly parameters?: { readonly padding: number; readonly saltLength: number }
}

// The salt is as long as the hash (RFC 7518 §3.5).
const pss = (saltLength: number) => ({ padding: constants.RSA_PKCS1_PSS_PADDING, saltLength })

/** Every algorithm that can be allowed, by its `alg` (RFC 7518 §3.1, RFC 8037 §3.1, RFC 9864 §2.2). The one table. */
const ALGORITHMS: Readonly<Record<string, Algorithm>> = {
  RS256: { kty: 'RSA', digest: 'sha256' },
  RS384: { kty: 'RSA', digest: 'sha384' },
  RS512: { kty: 'RSA', digest: 'sha512' },
  PS256: { kty: 'RSA', digest: 'sha256', parameters: pss(32) },
  PS384: { kty: 'RSA', digest: 'sha384', parameters: pss(48) },
  PS512: { kty: 'RSA', digest: 'sha512', parameters: pss(64) },
  ES256: { kty: 'EC', crv: 'P-256', digest: 'sha256', length: 64 },
  ES384: { kty: 'EC', crv: 'P-384', digest: 'sha384', length: 96 },
  ES512: { kty: 'EC', crv: 'P-521', digest: 'sha512', length: 132 },
  EdDSA: { kty: 'OKP', crv: 'Ed25519', digest: undefined, length: 64 },
  Ed25519: { kty: 'OKP', crv: 'Ed25519', digest: undefined, length: 64 },
  HS256: { kty: 'oct', digest: 'sha256' },
  HS384: { kty: 'oct', digest: 'sha384' },
  HS512: { kty: 'oct', digest: 'sha512' },
}

const named = (isSymmetric: boolean): readonly string[] =>
  Object.keys(ALGORITHMS).filter((name) => (ALGORITHMS[name]?.kty === 'oct') === isSymmetric)

/** Algorithms that are verified with an issuer's public keys. */
export const ASYMMETRIC_ALGORITHMS: readonly string[] = named(false)
/** Only with a `secret`: with a public key as the secret, anyone who can read that key could sign. */
export const SYMMETRIC_ALGORITHMS: readonly string[] = named(true)
/** What is allowed unless an issuer's `algorithms` says otherwise. */
export const DEFAULT_ALGORITHMS: readonly string[] = ['RS256', 'PS256', 'ES256', 'EdDSA']

/**
 * The table's entry for an `alg`.
 *
 * @throws {TypeError} for a name that the table does not have.
 */
export function algorithmOf(name: string): Algorithm {
  const algorithm = Object.hasOwn(ALGORITHMS, name) ? ALGORITHMS[name] : undefined
  if (algorithm === undefined) throw new TypeError(`${JSON.stringify(name)} is not a supported algorithm`)
  return algorithm
}

const HASH_BYTES = { sha256: 32, sha384: 48, sha512: 64 } as const

/** How long the secret of an HS algorithm must be, in bytes: as long as its hash (RFC 7518 §3.2). */
export function minimumSecretBytes(name: string): number {
  const { digest = 'sha256' } = algorithmOf(name)
  return HASH_BYTES[digest]
}

/** Whether a public JWK can be a key of this algorithm. */
export function fitsAlgorithm({ kty, crv, alg }: Readonly<Record<string, unknown>>, name: string): boolean {
  const wanted = algorithmOf(name)
  if (wanted.kty === 'oct' || wanted.kty !== kty || wanted.crv !== (kty === 'RSA' ? undefined : crv)) return false
  // RFC 8037 and RFC 9864 have different names for the same signature.
  return alg === undefined || alg === name || (kty === 'OKP' && (alg === 'EdDSA' || alg === 'Ed25519'))
}
