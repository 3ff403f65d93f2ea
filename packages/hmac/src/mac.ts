import { createHmac, createSecretKey, type KeyObject, randomBytes, timingSafeEqual } from 'node:crypto'
import type { SignatureClaim } from './formats/format.js'
import type { HmacSecretVersion } from './store/port.js'

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

type Candidate = Pick<HmacSecretVersion, 'caller' | 'key' | 'version'>

const decoys: readonly Candidate[] = [{ caller: '', version: 0, key: createSecretKey(randomBytes(32)) }]

/** HMAC-SHA256 of a text that has one byte a unit. */
export function macOf(key: KeyObject, base: string): Buffer {
  return createHmac('sha256', key).update(base, 'latin1').digest()
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
    if (key === undefined) continue
    const mac = macOf(key, base)
    if (timingSafeEqual(mac, signature)) return { owner: caller, version, mac }
  }
  return undefined
}

/** The work of a MAC for a caller that has none to check, so that time does not tell the two apart. */
export function spendDecoy(claim: SignatureClaim, audiences: Audiences, bodySha256: Uint8Array | undefined): void {
  findMac(claim, decoys, audiences, bodySha256)
}
