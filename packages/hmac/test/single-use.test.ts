import { describe, expect, test } from '@jest/globals'
import type { SignatureClaim } from '../src/formats/format.js'
import { replayKey } from '../src/single-use.js'

const MAC = Buffer.alloc(32, 1)
const claim = { caller: 'scheduler', timestamp: 1_700_000_000, nonce: 'n-1' } as SignatureClaim
const proof = { owner: 'scheduler', version: 3, mac: MAC }
const keyOf = (change: Partial<SignatureClaim> = {}, changeOfProof: Partial<typeof proof> = {}) =>
  replayKey({ ...claim, ...change }, { ...proof, ...changeOfProof })

describe('what a used signature is remembered by', () => {
  test('is its nonce, whatever it signs: a second request with it is a copy', () => {
    expect(keyOf({}, { mac: Buffer.alloc(32, 2) })).toBe(keyOf())
  })

  test('is that of one caller, version and second: elsewhere the same nonce is another', () => {
    const keys = [keyOf(), keyOf({ caller: 'worker' }), keyOf({}, { version: 4 }), keyOf({ timestamp: 1_700_000_001 })]
    expect(new Set([...keys, keyOf({ nonce: 'n-2' })]).size).toBe(5)
  })

  test('is the MAC where there is no nonce', () => {
    const [one, other] = [keyOf({ nonce: undefined }), keyOf({ nonce: undefined }, { mac: Buffer.alloc(32, 2) })]
    expect(one).not.toBe(other)
    expect(keyOf({ nonce: undefined, timestamp: 1_700_000_001 })).toBe(one)
  })

  test('is never the MAC of one and the nonce of another, whatever a caller makes up', () => {
    const mac = Buffer.from(JSON.stringify(['scheduler', 3, claim.timestamp, 'n-1']))
    expect(keyOf({ nonce: undefined }, { mac })).not.toBe(keyOf())
  })

  test('is a digest, from which neither can be read', () => {
    for (const nonce of ['n-1', undefined]) expect(keyOf({ nonce })).toMatch(/^[\w-]{43}$/)
  })
})
