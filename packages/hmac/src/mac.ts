import { createSecretKey, hash, type KeyObject, randomBytes, timingSafeEqual } from 'node:crypto'
import { sha256 } from '@countersign/core/gate-kit'
import type { SignatureClaim } from './formats/format.js'
import type { OpenVersion } from './store/find-keys.js'

/** The key that a signature was made with, and its MAC. */
export interface ProvenMac {
  /** The caller whose secret it is: the request's own, or `*shared*`. */
  readonly owner: string
  readonly version: number
  readonly mac: Buffer
}

/** For whom a signature may be. */
export interface Audiences {
  /** This service's own names. */
  readonly own: readonly string[]
  /** The request's `Host` in lower case, where the format binds an audience: only to explain why a signature is refused. */
  readonly host: string | undefined
}

type Candidate = Pick<OpenVersion, 'caller' | 'key' | 'version'>

const decoys: readonly Candidate[] = [{ caller: '', version: 0, key: createSecretKey(randomBytes(32)) }]

/** Bytes of a block of SHA-256. */
const BLOCK = 64
/** Bytes of text that a key has room for; a longer one gets memory for itself. */
const ROOM = 2048

/** What a key is in HMAC (RFC 2104 §2): with each of the two pads, and room for what is hashed behind it. */
interface PaddedKey {
  readonly inner: Buffer
  readonly outer: Buffer
}

const paddedKeys = new WeakMap<KeyObject, PaddedKey>()

function pad(key: KeyObject): PaddedKey {
  const secret = key.export()
  const bytes = secret.length > BLOCK ? sha256(secret) : secret
  // Not of the pool that `Buffer.allocUnsafe` takes from: the secret can be told from these bytes.
  const padded = { inner: Buffer.alloc(BLOCK + ROOM), outer: Buffer.alloc(BLOCK + 32) }
  for (let at = 0; at < BLOCK; at += 1) {
    const byte = bytes[at] ?? 0
    padded.inner[at] = byte ^ 0x36
    padded.outer[at] = byte ^ 0x5c
  }
  paddedKeys.set(key, padded)
  return padded
}

/**
 * HMAC-SHA256 of a text that has one byte a unit, by a key that is used again and again. Two digests in one call each: an
 * `Hmac` of `node:crypto` is an object that lives outside of the heap, and makes a decision cost 15 % more on Node 24.
 */
export function macOf(key: KeyObject, base: string): Buffer {
  const { inner, outer } = paddedKeys.get(key) ?? pad(key)
  const text = base.length <= ROOM ? inner : Buffer.alloc(BLOCK + base.length, inner.subarray(0, BLOCK))
  const end = BLOCK + text.write(base, BLOCK, 'latin1')
  outer.write(hash('sha256', text.subarray(0, end), 'binary'), BLOCK, 'latin1')
  return sha256(outer)
}

/**
 * Tries every key with every audience. `bodySha256` is for a claim without digests. A signature that is good for the
 * `Host` alone was meant for another service.
 */
export function findMac(
  claim: SignatureClaim,
  keys: readonly Candidate[],
  { own, host }: Audiences,
  bodySha256: Uint8Array | undefined,
): ProvenMac | 'bad_signature' | 'wrong_audience' {
  for (const audience of own) {
    const found = tryKeys(claim, keys, claim.base(audience, bodySha256))
    if (found !== undefined) return found
  }
  if (host === undefined || own.includes(host)) return 'bad_signature'
  const forHost = tryKeys(claim, keys, claim.base(host, bodySha256))
  return forHost === undefined ? 'bad_signature' : 'wrong_audience'
}

function tryKeys({ signature }: SignatureClaim, keys: readonly Candidate[], base: string): ProvenMac | undefined {
  for (const { caller, key, version } of keys) {
    const mac = macOf(key, base)
    if (timingSafeEqual(mac, signature)) return { owner: caller, version, mac }
  }
  return undefined
}

/** The work of a MAC for a caller that has none to check, so that time does not tell the two apart. */
export function spendDecoy(claim: SignatureClaim, audiences: Audiences, bodySha256: Uint8Array | undefined): void {
  findMac(claim, decoys, audiences, bodySha256)
}
