import type { JsonObject } from './strict-json.js'

/** The kind of key that each algorithm verifies with (RFC 7518 §3.1, RFC 8037 §3.1). */
const KEY_TYPES: Readonly<Record<string, { readonly kty: string; readonly crv?: string }>> = {
  RS256: { kty: 'RSA' },
  RS384: { kty: 'RSA' },
  RS512: { kty: 'RSA' },
  PS256: { kty: 'RSA' },
  PS384: { kty: 'RSA' },
  PS512: { kty: 'RSA' },
  ES256: { kty: 'EC', crv: 'P-256' },
  ES384: { kty: 'EC', crv: 'P-384' },
  ES512: { kty: 'EC', crv: 'P-521' },
  EdDSA: { kty: 'OKP', crv: 'Ed25519' },
  Ed25519: { kty: 'OKP', crv: 'Ed25519' },
}

/** Signatures that an issuer may use, verified with its public keys. */
export const ASYMMETRIC_ALGORITHMS: readonly string[] = Object.keys(KEY_TYPES)
/** Only with a `secret`: with public keys they would let everyone sign who can read those. */
export const SYMMETRIC_ALGORITHMS: readonly string[] = ['HS256', 'HS384', 'HS512']
export const DEFAULT_ALGORITHMS: readonly string[] = ['RS256', 'PS256', 'ES256', 'EdDSA']

/** The `kty` of an asymmetric algorithm's keys. */
export function keyTypeOf(algorithm: string): string | undefined {
  return KEY_TYPES[algorithm]?.kty
}

/** Whether a public key can be one of this algorithm. */
export function fitsAlgorithm({ kty, crv, alg }: JsonObject, algorithm: string): boolean {
  const wanted = KEY_TYPES[algorithm]
  if (wanted === undefined || wanted.kty !== kty || wanted.crv !== (kty === 'RSA' ? undefined : crv)) return false
  // The two names of RFC 8037 and RFC 9864 for one signature.
  return alg === undefined || alg === algorithm || (kty === 'OKP' && (alg === 'EdDSA' || alg === 'Ed25519'))
}
