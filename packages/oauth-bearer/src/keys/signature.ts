import { createHmac, type KeyObject, timingSafeEqual, verify } from 'node:crypto'
import { algorithmOf } from './algorithms.js'

/** Whether a signature over these bytes was made with the key that this function was made for. */
export type VerifySignature = (signed: Uint8Array, signature: Uint8Array) => boolean

/**
 * Verifies with a public key, in the same tick: a job in the thread pool costs more than the verification. `name` is an
 * asymmetric algorithm that the key fits. See decision 0023.
 */
export function publicKeyVerifier(key: KeyObject, name: string): VerifySignature {
  const { kty, digest, length, parameters } = algorithmOf(name)
  const isEc = kty === 'EC'
  // The key alone where it is enough: Node 24 takes 25 to 60 µs to find that an object with a key in it is not itself a key.
  const how = parameters === undefined ? key : { key, ...parameters }
  return (signed, signature) => {
    if (length !== undefined && signature.length !== length) return false
    return verify(digest, signed, how, isEc ? derSignature(signature) : signature)
  }
}

/** Verifies with a shared secret (RFC 7518 §3.2), in constant time. */
export function secretVerifier(secret: Uint8Array, name: string): VerifySignature {
  const digest = algorithmOf(name).digest as string
  return (signed, signature) => {
    const expected = createHmac(digest, secret).update(signed).digest()
    return signature.length === expected.length && timingSafeEqual(expected, signature)
  }
}

const SEQUENCE = 0x30
const INTEGER = 0x02
/** A length below this takes one octet; the longest one here, of ES512, takes a second octet that announces it. */
const SHORT_LENGTHS = 0x80
const ONE_OCTET_FOLLOWS = 0x81

/**
 * Converts R and S side by side (RFC 7518 §3.4) to the DER of `Ecdsa-Sig-Value` (RFC 3279 §2.2.3), which `node:crypto`
 * reads with a key alone. `dsaEncoding: 'ieee-p1363'` would take 20 to 60 µs more, half of a verification.
 */
export function derSignature(signature: Uint8Array): Uint8Array {
  const half = signature.length / 2
  // A head of three octets, then twice: head, sign, half.
  const der = new Uint8Array(3 + 2 * (3 + half))
  const end = writeInteger(der, writeInteger(der, 3, signature, 0, half), signature, half, signature.length)
  const length = end - 3
  der[2] = length
  if (length < SHORT_LENGTHS) {
    der[1] = SEQUENCE
    return der.subarray(1, end)
  }
  der[0] = SEQUENCE
  der[1] = ONE_OCTET_FOLLOWS
  return der.subarray(0, end)
}

/** Writes an unsigned number as a DER integer (X.690 §8.3), without leading zeros. Returns the position after it. */
function writeInteger(der: Uint8Array, at: number, octets: Uint8Array, from: number, to: number): number {
  let first = from
  while (first < to - 1 && octets[first] === 0) first += 1
  // A number whose first bit is set would be read as negative.
  const sign = (octets[first] as number) >= 0x80 ? 1 : 0
  der[at] = INTEGER
  der[at + 1] = to - first + sign
  der.set(octets.subarray(first, to), at + 2 + sign)
  return at + 2 + sign + to - first
}
