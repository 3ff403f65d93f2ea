import { createHmac, createSecretKey, type KeyObject, randomBytes, timingSafeEqual } from 'node:crypto'
import { sha256 } from '@countersign/core/gate-kit'
import type { Attempt } from './authenticate.js'
import type { HmacSecretVersion } from './stores/store.js'

type Verified =
  | { readonly outcome: 'verified'; readonly version: number; readonly mac: Buffer }
  | { readonly outcome: 'bad_signature' | 'audience_mismatch' }

const decoys = [{ version: 0, key: createSecretKey(randomBytes(32)) }] as const

function macOf(key: KeyObject, base: string): Buffer {
  return createHmac('sha256', key).update(base, 'latin1').digest()
}

/** Tries every key with every audience. A signature that is good for the `Host` alone was meant for another service. */
export function verifyMac(
  { request, options, format, claim }: Attempt,
  keys: readonly Pick<HmacSecretVersion, 'key' | 'version'>[],
  bodySha256: Uint8Array | undefined,
): Verified {
  for (const audience of options.audiences) {
    const base = claim.base(audience, bodySha256)
    for (const { key, version } of keys) {
      if (key === undefined) continue
      const mac = macOf(key, base)
      if (timingSafeEqual(mac, claim.signature)) return { outcome: 'verified', version, mac }
    }
  }
  const host = format.bindsAudience ? request.headers.host?.toLowerCase() : undefined
  if (host === undefined || options.audiences.includes(host)) return { outcome: 'bad_signature' }
  const base = claim.base(host, bodySha256)
  const isMeantForHost = keys.some(({ key }) => key !== undefined && timingSafeEqual(macOf(key, base), claim.signature))
  return { outcome: isMeantForHost ? 'audience_mismatch' : 'bad_signature' }
}

/** The work of a MAC for a caller that has none to check, so that time does not tell the two apart. */
export function spendDecoy(attempt: Attempt): void {
  verifyMac(attempt, decoys, attempt.claim.digests === undefined ? sha256('') : undefined)
}
