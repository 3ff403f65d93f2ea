import { KeyObject } from 'node:crypto'
import { type CryptoKey, importJWK, type JWK } from 'jose'
import { fitsAlgorithm } from '../jwt/algorithms.js'
import { decodeBase64url } from '../jwt/base64url.js'
import { isJsonObject, type JsonObject } from '../jwt/strict-json.js'
import { publicKeyVerifier, type VerifySignature } from '../jwt/verify-signature.js'
import type { TrustedKey } from './key-source.js'

export const MAX_KEYS = 100
export const MAX_KID_LENGTH = 256
const MIN_RSA_BITS = 2048
/** Larger ones cost more to verify with than they protect. */
const MAX_RSA_BITS = 8192
const PRIVATE_MEMBERS = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k']
const MEMBERS = ['kty', 'kid', 'alg', 'crv', 'n', 'e', 'x', 'y']

/**
 * The keys of a JWKS (RFC 7517 §5) that may be trusted; the others are left out. Undefined when it is no key set, has
 * more than 100 keys, or none that may be trusted: that is a failure of the issuer, not an issuer without keys.
 */
export async function trustedKeys(
  document: JsonObject,
  algorithms: readonly string[],
): Promise<readonly TrustedKey[] | undefined> {
  const { keys } = document
  if (!Array.isArray(keys) || keys.length > MAX_KEYS) return undefined
  const imported = await Promise.all(keys.filter(isStrongKey).map((jwk) => importKey(jwk, algorithms)))
  const trusted = imported.filter((key) => key.verifiers.size > 0)
  return trusted.length > 0 ? trusted : undefined
}

/** Whether any of these keys may be trusted, as far as that can be told without importing them. */
export function hasTrustableKey(keys: readonly unknown[], algorithms: readonly string[]): boolean {
  return keys.some((jwk) => isStrongKey(jwk) && algorithms.some((algorithm) => fitsAlgorithm(jwk, algorithm)))
}

/** A public signature key, not weak: RSA of 2048 bits or more with an odd exponent of 3 or more, or an elliptic curve. */
function isStrongKey(jwk: unknown): jwk is JsonObject {
  if (!isJsonObject(jwk) || PRIVATE_MEMBERS.some((name) => Object.hasOwn(jwk, name))) return false
  const { kty, use, key_ops: operations, kid, alg } = jwk
  if (use !== undefined && use !== 'sig') return false
  if (operations !== undefined && !(Array.isArray(operations) && operations.includes('verify'))) return false
  if (kid !== undefined && (typeof kid !== 'string' || kid.length > MAX_KID_LENGTH)) return false
  if (alg !== undefined && typeof alg !== 'string') return false
  return kty === 'RSA' ? isStrongRsa(jwk) : kty === 'EC' || kty === 'OKP'
}

function isStrongRsa({ n, e }: JsonObject): boolean {
  const modulus = numberOf(n)
  const exponent = numberOf(e)
  if (modulus === undefined || exponent === undefined) return false
  const bits = modulus.toString(2).length
  return bits >= MIN_RSA_BITS && bits <= MAX_RSA_BITS && exponent >= 3n && exponent % 2n === 1n
}

function numberOf(value: unknown): bigint | undefined {
  const bytes = typeof value === 'string' ? decodeBase64url(value) : undefined
  return bytes === undefined || bytes.length === 0 || bytes.length > MAX_RSA_BITS / 8 + 1
    ? undefined
    : BigInt(`0x${bytes.toString('hex')}`)
}

async function importKey(jwk: JsonObject, algorithms: readonly string[]): Promise<TrustedKey> {
  const verifiers = new Map<string, VerifySignature>()
  for (const algorithm of algorithms) {
    if (!fitsAlgorithm(jwk, algorithm)) continue
    // A point that is not on its curve fails here: the key is left out.
    const key = await importJWK({ ...jwk, alg: algorithm } as JWK, algorithm).catch(() => undefined)
    if (key !== undefined) verifiers.set(algorithm, publicKeyVerifier(KeyObject.from(key as CryptoKey), algorithm))
  }
  const fingerprint = JSON.stringify(MEMBERS.map((name) => jwk[name] ?? null))
  return { kid: jwk.kid as string | undefined, fingerprint, verifiers }
}
