import { describe, expect, test } from '@jest/globals'
import { present } from '../src/read-credential.js'

describe('what caches know a token by', () => {
  test('differs from scheme to scheme, also where one text could be read both ways', () => {
    const digests = [
      present('bearer', 'abcdefgh'),
      present('token', 'abcdefgh'),
      present('bearer', 'token abcdefgh'),
      present('token', 'bearer abcdefgh'),
      present('bearer', 'token:abcdefgh'),
    ].map(({ digest }) => digest)
    expect(new Set(digests).size).toBe(digests.length)
  })

  test('is a whole SHA-256, and never the token', () => {
    const { digest } = present('bearer', 'abc')
    expect(Buffer.from(digest, 'base64').toString('hex')).toBe(
      'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad',
    )
  })
})
