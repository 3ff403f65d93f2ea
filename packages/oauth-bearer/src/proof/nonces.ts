import { createHmac, timingSafeEqual } from 'node:crypto'

/** How far the clocks of this server's machines may differ. */
export const SLACK_MS = 120_000
const MAC_BYTES = 16
const TIME_BYTES = 6
/** 22 bytes in base64url. */
const NONCE = /^[A-Za-z0-9_-]{29}[AQgw]$/

/** The nonces that a resource gives to clients (RFC 9449 §8, §9). */
export interface Nonces {
  /** A nonce of this moment. */
  fresh(now: number): string
  /** When a nonce that was made here ends, in milliseconds since the epoch; undefined for one that is not good. */
  endOf(nonce: string, now: number): number | undefined
  /** Whether a nonce that ends then is better replaced. */
  isEnding(endsAt: number, now: number): boolean
}

/**
 * Makes nonces that nobody stores: the time, and a MAC over it and the resource, so that all processes with the secret know them
 * and nobody else can make one. There is another one each second.
 */
export function createNonces(secret: Uint8Array, lifetimeMs: number, resource: string): Nonces {
  function seal(time: Buffer): Buffer {
    return createHmac('sha256', secret)
      .update(`countersign-dpop-nonce/1\n${resource}\n`)
      .update(time)
      .digest()
      .subarray(0, MAC_BYTES)
  }
  return {
    fresh(now) {
      const time = Buffer.alloc(TIME_BYTES)
      time.writeUIntBE(Math.max(0, Math.floor(now / 1000)), 0, TIME_BYTES)
      return Buffer.concat([time, seal(time)]).toString('base64url')
    },
    endOf(nonce, now) {
      if (!NONCE.test(nonce)) return undefined
      const bytes = Buffer.from(nonce, 'base64url')
      const time = bytes.subarray(0, TIME_BYTES)
      const madeAt = time.readUIntBE(0, TIME_BYTES) * 1000
      const isTimely = madeAt <= now + SLACK_MS && now < madeAt + lifetimeMs
      if (!isTimely || !timingSafeEqual(bytes.subarray(TIME_BYTES), seal(time))) return undefined
      return madeAt + lifetimeMs
    },
    isEnding: (endsAt, now) => endsAt - now < lifetimeMs / 2,
  }
}
