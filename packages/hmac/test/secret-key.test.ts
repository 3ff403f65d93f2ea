import { resolveOptions } from '@countersign/core/gate-kit'
import { describe, expect, test } from '@jest/globals'
import { secretKey, secretRule } from '../src/secret-key.js'

const bytesOf = (secret: string | Uint8Array) => secretKey('owner', 'secret', secret).export()

describe('a secret', () => {
  test('that is a text stands for its UTF-8 bytes, and bytes stay as they are', () => {
    expect(bytesOf('ü'.repeat(16))).toEqual(Buffer.from('ü'.repeat(16), 'utf8'))
    expect(bytesOf('ab'.repeat(16))).toEqual(Buffer.from('ab'.repeat(16), 'latin1'))
    expect(bytesOf(new Uint8Array(32).fill(255))).toEqual(Buffer.alloc(32, 255))
  })

  test.each<[string, unknown]>([
    ['a text of 31 bytes', 'x'.repeat(31)],
    ['31 bytes', new Uint8Array(31)],
    ['a number', 12_345],
    ['a list of 32 numbers', Array.from({ length: 32 }, () => 7)],
    ['nothing', undefined],
  ])('is refused where it is %s, and the error names the option and how to make one', (_what, secret) => {
    expect(() => secretKey('memorySecrets', '[0].secret', secret as string)).toThrow(
      expect.objectContaining({
        code: 'ERR_COUNTERSIGN_OPTION_INVALID',
        option: '[0].secret',
        message: expect.stringMatching(/^memorySecrets: "\[0\]\.secret" .*32 bytes.*openssl rand/),
      }),
    )
  })

  test('as an option is a text or bytes, and its value is in no error', () => {
    const resolve = (secret: unknown) => resolveOptions('owner', { secret }, { secret: secretRule() })
    expect(resolve('text')).toEqual({ secret: 'text' })
    expect(resolve(Buffer.from('bytes'))).toEqual({ secret: Buffer.from('bytes') })
    for (const wrong of [12_345, ['12345'], { secret: '12345' }, true]) {
      expect(() => resolve(wrong)).toThrow('32 bytes')
      expect(() => resolve(wrong)).not.toThrow('12345')
    }
  })
})
