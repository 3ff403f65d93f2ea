import { hash } from 'node:crypto'
import type { SignatureClaim } from './formats/format.js'
import type { ProvenMac } from './mac.js'

/** Sets the keys that are made of a MAC apart. */
const MAC = Buffer.from('mac\0')

/** By what a used signature is remembered: a digest, so that nothing of the request can be read from the store. */
export function replayKey({ caller, timestamp, nonce }: SignatureClaim, { version, mac }: ProvenMac): string {
  const what = nonce === undefined ? Buffer.concat([MAC, mac]) : JSON.stringify([caller, version, timestamp, nonce])
  return hash('sha256', what, 'base64url')
}
