import { createHmac, createSecretKey } from 'node:crypto'
import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { macOf } from '../src/mac.js'

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
