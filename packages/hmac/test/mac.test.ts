import { createHmac, createSecretKey } from 'node:crypto'
import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import type { SignatureClaim } from '../src/formats/format.js'
import { findMac, macOf, spendDecoy } from '../src/mac.js'

const latin1 = (maxLength: number) => fc.uint8Array({ maxLength }).map((bytes) => Buffer.from(bytes).toString('latin1'))

describe('macOf', () => {
  test('is HMAC-SHA256 for keys and texts of every length, whatever text came before', () => {
    const keys = fc.uint8Array({ minLength: 32, maxLength: 200 })
    const texts = fc.array(fc.oneof(latin1(64), latin1(6000)), { minLength: 1, maxLength: 4 })
    fc.assert(
      fc.property(keys, texts, (secret, some) => {
        const key = createSecretKey(secret)
        for (const text of some) {
          const expected = createHmac('sha256', secret).update(text, 'latin1').digest('hex')
          expect(macOf(key, text).toString('hex')).toBe(expected)
        }
      }),
    )
  })

  test.each([2047, 2048, 2049])('is HMAC-SHA256 for a text of %i bytes, where a key has room for 2048', (length) => {
    const secret = Buffer.alloc(64, 7)
    const text = 'é'.repeat(length)
    const expected = createHmac('sha256', secret).update(text, 'latin1').digest('hex')
    expect(macOf(createSecretKey(secret), text).toString('hex')).toBe(expected)
  })

  test('keeps the MAC of RFC 4231, test case 2 with its key padded to 32 bytes', () => {
    const key = createSecretKey(Buffer.concat([Buffer.from('Jefe'), Buffer.alloc(28)]))
    expect(macOf(key, 'what do ya want for nothing?').toString('hex')).toBe(
      '5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843',
    )
  })
})

describe('a signature', () => {
  const keyOf = (version: number) => createSecretKey(Buffer.alloc(32, version))
  const keys = [3, 2].map((version) => ({ caller: 'scheduler', version, key: keyOf(version) }))
  const own = ['billing.example.com', 'billing.internal']
  const body = Buffer.alloc(32, 9)
  const textFor = (audience: string, bodySha256?: Uint8Array) =>
    `to ${audience}: ${Buffer.from(bodySha256 ?? []).join()}`

  /** A claim that tells which texts it was asked for. */
  function claimed(signature: Uint8Array) {
    const asked: string[] = []
    const base: SignatureClaim['base'] = (audience, bodySha256) => {
      asked.push(textFor(audience, bodySha256))
      return textFor(audience, bodySha256)
    }
    return { claim: { signature, base } as SignatureClaim, asked }
  }
  const signedBy = (version: number, audience: string) => macOf(keyOf(version), textFor(audience, body))

  test.each([
    [3, 'billing.example.com'],
    [2, 'billing.example.com'],
    [3, 'billing.internal'],
    [2, 'billing.internal'],
  ])('is proven by each key, for each audience: version %i, %s', (version, audience) => {
    const mac = signedBy(version, audience)
    const { claim } = claimed(mac)
    expect(findMac(claim, keys, { own, host: undefined }, body)).toEqual({ owner: 'scheduler', version, mac })
  })

  test('for the Host alone is for another service, and proves nothing', () => {
    const { claim } = claimed(signedBy(3, 'staging.example.com'))
    expect(findMac(claim, keys, { own, host: 'staging.example.com' }, body)).toBe('wrong_audience')
    expect(findMac(claim, keys, { own, host: 'other.example.com' }, body)).toBe('bad_signature')
  })

  test('for no one is wrong, without a Host and with each, and is tried for each name once', () => {
    for (const host of [undefined, 'billing.internal', 'other.example.com']) {
      const { claim, asked } = claimed(Buffer.alloc(32))
      expect(findMac(claim, keys, { own, host }, body)).toBe('bad_signature')
      expect(asked).toEqual(
        [...new Set([...own, ...(host === undefined ? [] : [host])])].map((one) => textFor(one, body)),
      )
    }
  })

  test('of a name that nobody has costs what a wrong one of a caller does', () => {
    for (const host of [undefined, 'other.example.com']) {
      const [known, unknown] = [claimed(Buffer.alloc(32)), claimed(Buffer.alloc(32))]
      findMac(known.claim, keys, { own, host }, body)
      spendDecoy(unknown.claim, { own, host }, body)
      expect(unknown.asked).toEqual(known.asked)
    }
    // Nothing can be compared with a signature of another length: that it throws shows that a MAC was computed and compared.
    expect(() => spendDecoy(claimed(Buffer.alloc(31)).claim, { own, host: undefined }, body)).toThrow(
      'same byte length',
    )
  })
})
