import { generateKeyPairSync, sign, verify } from 'node:crypto'
import { expect, test } from '@jest/globals'
import fc from 'fast-check'
import { derSignature } from '../src/keys/signature.js'

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex')
const signatureOf = (r: string, s: string) => Buffer.from(r + s, 'hex')

test.each([
  ['two small numbers', '0001', '0002', '3006020101020102'],
  ['a first bit that is set', '80ff', '7fff', '300902030080ff02027fff'],
  ['zeros before the number', '00000080', '00000000', '300702020080020100'],
])('writes %s', (_what, r, s, expected) => {
  expect(hex(derSignature(signatureOf(r, s)))).toBe(expected)
})

test('writes the length of an ES512 signature in two octets', () => {
  const whole = 'ff'.repeat(66)
  expect(hex(derSignature(signatureOf(whole, whole)))).toBe(`30818a${`024300${whole}`.repeat(2)}`)
})

/** A reader of its own: the two numbers of canonical DER. */
function numbersOf(der: Buffer): bigint[] {
  const isLong = der[1] === 0x81
  const body = der.subarray(isLong ? 3 : 2)
  expect([der[0], der[isLong ? 2 : 1]]).toEqual([0x30, body.length])
  expect(isLong).toBe(body.length > 127)
  const numbers: bigint[] = []
  for (let at = 0; at < body.length; ) {
    const length = body[at + 1] as number
    const octets = body.subarray(at + 2, at + 2 + length)
    expect([body[at], octets.length]).toEqual([2, length])
    // Shortest form, and not negative (X.690 §8.3).
    expect((octets[0] as number) < 0x80).toBe(true)
    if (length > 1) expect(octets[0] !== 0 || (octets[1] as number) >= 0x80).toBe(true)
    numbers.push(BigInt(`0x${octets.toString('hex')}`))
    at += 2 + length
  }
  return numbers
}

const octet = fc.oneof(fc.constantFrom(0x00, 0x01, 0x7f, 0x80, 0xff), fc.nat(255))

test.each([32, 48, 66])('keeps both numbers, of %i octets each, whatever their value', (half) => {
  const number = fc.array(octet, { minLength: half, maxLength: half }).map((octets) => Buffer.from(octets))
  const zeros = fc.nat(half).map((count) => Buffer.concat([Buffer.alloc(count), Buffer.alloc(half - count, 0xc3)]))
  const any = fc.oneof(number, zeros)
  fc.assert(
    fc.property(any, any, (r, s) => {
      const der = Buffer.from(derSignature(Buffer.concat([r, s])))
      expect(numbersOf(der)).toEqual([BigInt(`0x${r.toString('hex')}`), BigInt(`0x${s.toString('hex')}`)])
    }),
  )
})

test.each(['P-256', 'P-384', 'P-521'])(
  'converts what OpenSSL signs on %s back to what OpenSSL verifies, 300 times',
  (namedCurve) => {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve })
    for (let index = 0; index < 300; index += 1) {
      const text = Buffer.from(`message ${index}`)
      const signature = sign('sha256', text, { key: privateKey, dsaEncoding: 'ieee-p1363' })
      expect(verify('sha256', text, publicKey, derSignature(signature))).toBe(true)
    }
  },
)
