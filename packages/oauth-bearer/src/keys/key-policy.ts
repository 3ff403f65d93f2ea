import { KeyObject } from 'node:crypto'
import { type CryptoKey, importJWK, type JWK } from 'jose'
import { decodeBase64url, isJsonObject, type JsonObject } from '../strict-encoding.js'
import { fitsAlgorithm } from './algorithms.js'
import type { TrustedKey } from './key-source.js'
import { publicKeyVerifier, type VerifySignature } from './signature.js'

const MAX_KEYS = 100
/** A key with a longer `kid` is not trusted. */
export const MAX_KID_LENGTH = 256
const MIN_RSA_BITS = 2048
/** Verifying with a larger key costs more than it protects. */
const MAX_RSA_BITS = 8192
/** OpenSSL's own limit for keys above 3072 bits. Below, an exponent as long as the modulus makes a verification take 30 ms. */
const MAX_EXPONENT = 2n ** 64n
/** Of 4096 bits in base64url. */
const USUAL_MODULUS_LENGTH = 683
const PRIVATE_MEMBERS = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k']
const MEMBERS = ['kty', 'kid', 'alg', 'crv', 'n', 'e', 'x', 'y']

/**
 * The keys of a JWKS (RFC 7517 §5) that can be trusted, without the others. Undefined if it is not a key set, has more
 * than 100 keys, or has no key that can be trusted: that is a failure of the issuer, not an issuer without keys.
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

/** Whether any of these keys can be trusted, as far as that is known without importing them. */
export function hasTrustableKey(keys: readonly unknown[], algorithms: readonly string[]): boolean {
  return keys.some((jwk) => isStrongKey(jwk) && algorithms.some((algorithm) => fitsAlgorithm(jwk, algorithm)))
}

/** Whether a JWK contains members that only the private half of a key, or a shared secret, has (RFC 7518 §6). */
export function isPrivateKey(jwk: unknown): boolean {
  return isJsonObject(jwk) && PRIVATE_MEMBERS.some((name) => Object.hasOwn(jwk, name))
}

/** A public signature key that is not weak: RSA of 2048 to 8192 bits with an odd exponent of 3 or more and 64 bits at most, or a curve. */
function isStrongKey(jwk: unknown): jwk is JsonObject {
  if (!isJsonObject(jwk) || isPrivateKey(jwk)) return false
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
  const isOfSize = bits >= MIN_RSA_BITS && bits <= MAX_RSA_BITS
  return isOfSize && exponent >= 3n && exponent < MAX_EXPONENT && exponent % 2n === 1n
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
    // A point that is not on its curve fails here, and the key is left out.
    const key = await importJWK({ ...jwk, alg: algorithm } as JWK, algorithm).catch(() => undefined)
    if (key !== undefined) verifiers.set(algorithm, publicKeyVerifier(KeyObject.from(key as CryptoKey), algorithm))
  }
  const fingerprint = JSON.stringify(MEMBERS.map((name) => jwk[name] ?? null))
  return { kid: jwk.kid as string | undefined, fingerprint, cost: costOf(jwk), verifiers }
}

/** Measured: RSA and P-256 take about 60 µs, Ed25519 twice, RSA of 8192 bits and the larger curves four times as much or more. */
function costOf({ kty, crv, n }: JsonObject): number {
  if (kty === 'OKP') return 2
  const isUsual = kty === 'EC' ? crv === 'P-256' : String(n).length <= USUAL_MODULUS_LENGTH
  return isUsual ? 1 : 4
}
