import { rfc9421, xHeaders } from '@countersign/hmac'
import { describe, expect, test } from '@jest/globals'
import {
  AUDIENCE_PATTERN,
  FIELD_NAME_PATTERN,
  isCaller,
  isField,
  isOriginForm,
  MAX_VERSION,
  NONCE_PATTERN,
  parseHex256,
  parseTimestamp,
  parseVersion,
  SHARED_CALLER,
  splitTarget,
  toHex,
  withoutWhitespaceAround,
} from '../src/formats/grammar.js'

/** A grammar, texts at its edges that it has, and texts just outside of it. */
const GRAMMARS: readonly (readonly [string, (text: string) => boolean, readonly string[], readonly string[]])[] = [
  [
    'a caller',
    isCaller,
    ['a', '0', 'z9', 'a.b_c-d', `a${'b'.repeat(63)}`],
    ['', 'A', 'aB', '.a', '-a', '_a', ' a', 'a ', 'a/b', 'a\n', 'é', `a${'b'.repeat(64)}`],
  ],
  [
    'a nonce',
    (text) => NONCE_PATTERN.test(text),
    ['!', '~', 'a/b+c==', 'n'.repeat(128)],
    ['', ' ', 'a b', 'a\x7f', 'a\n', ' a', 'é', 'n'.repeat(129)],
  ],
  [
    'a name of a covered field',
    (text) => FIELD_NAME_PATTERN.test(text),
    ['a', 'x-id', "!#$%&'*+.^_`|~-", '09', 'a'.repeat(64)],
    ['', 'A', 'x id', 'a:', ' a', 'a ', '"a"', 'a\n', 'a'.repeat(65)],
  ],
  [
    'an audience',
    (text) => AUDIENCE_PATTERN.test(text),
    ['a', 'A.example', 'a-b_c.d', 'a:1', 'a:65535', '[::1]', '[::1]:8080', '[2001:DB8::a.b]', `a${'b'.repeat(252)}`],
    [
      '',
      '.a',
      '-a',
      'a:',
      'a:0',
      'a:123456',
      'a:b',
      'a/b',
      ' a',
      'a ',
      '[:]',
      '[::g]',
      '::1',
      `a${'b'.repeat(253)}`,
      `[${':'.repeat(46)}]`,
    ],
  ],
  [
    'a target',
    isOriginForm,
    ['/', '/a?b', '//a', '/%20', '/é', '/\x21\x7e'],
    ['', 'a', '*', 'http://a/', '/a b', '/a\n', '/a#b', '/\x7f', '/\x00', ' /'],
  ],
]

describe.each(GRAMMARS)('the grammar of %s', (_, accepts, inside, outside) => {
  test.each(inside)('has %j', (text) => {
    expect(accepts(text)).toBe(true)
  })
  test.each(outside)('does not have %j', (text) => {
    expect(accepts(text)).toBe(false)
  })
})

test.each<[string, number | undefined]>([
  ['0', 0],
  ['10', 10],
  ['99999999999', 99_999_999_999],
  ['100000000000', undefined],
  ['', undefined],
  ['01', undefined],
  ['-1', undefined],
  ['1.5', undefined],
  ['1e3', undefined],
  [' 1', undefined],
  ['1 ', undefined],
])('the timestamp %j is read as %j', (text, expected) => {
  expect(parseTimestamp(text)).toBe(expected)
})

test.each<[string, number | undefined]>([
  ['1', 1],
  ['10', 10],
  ['2147483647', 2_147_483_647],
  ['2147483648', undefined],
  ['10000000000', undefined],
  ['0', undefined],
  ['01', undefined],
  ['', undefined],
  ['v1', undefined],
  ['1x', undefined],
  ['1 ', undefined],
  ['1.0', undefined],
  ['1e1', undefined],
])('the version %j is read as %j', (text, expected) => {
  expect(parseVersion(text)).toBe(expected)
})

test('the highest version is the highest positive 32-bit integer', () => {
  expect(MAX_VERSION).toBe(2_147_483_647)
})

test('a SHA-256 is 64 lower-case hex digits, no more and no fewer', () => {
  const digits = '0123456789abcdef'.repeat(4)
  expect(parseHex256(digits)?.toString('hex')).toBe(digits)
  for (const other of [digits.slice(1), `${digits}0`, digits.toUpperCase(), `x${digits}`, `g${digits.slice(1)}`, '']) {
    expect(parseHex256(other)).toBeUndefined()
  }
})

test('hex digits are those of the bytes of a view alone, not of the buffer that it is in', () => {
  const bytes = Uint8Array.from([0, 1, 0xab, 0xff])
  expect(toHex(bytes)).toBe('0001abff')
  expect(toHex(bytes.subarray(1, 3))).toBe('01ab')
  expect(toHex(Buffer.from([0x0f, 0xf0]))).toBe('0ff0')
})

test.each<[string, string, boolean]>([
  ['X-Id', 'a', true],
  ["!#$%&'*+.^_`|~-", '', true],
  ['a', '\t ~\x80\xff', true],
  ['', 'a', false],
  ['a b', 'a', false],
  ['a:', 'a', false],
  [' a', 'a', false],
  ['a', 'b\n', false],
  ['a', 'b\r\nc', false],
  ['a', '\x00', false],
  ['a', '\x7f', false],
  ['a', 'Ā', false],
])('the field %j with the value %j can be sent: %j', (name, value, expected) => {
  expect(isField(name, value)).toBe(expected)
})

test.each<[string, { path: string; query: string | undefined } | undefined]>([
  ['/a', { path: '/a', query: undefined }],
  ['/?', { path: '/', query: '?' }],
  ['/a?b=1?c', { path: '/a', query: '?b=1?c' }],
  ['a?b', undefined],
  ['', undefined],
])('the target %j is split into %j', (target, expected) => {
  expect(splitTarget(target)).toEqual(expected)
})

test.each<[string | undefined, string | undefined]>([
  [undefined, undefined],
  ['', ''],
  ['a', 'a'],
  [' \ta b\t ', 'a b'],
  [' \t ', ''],
  ['\u00a0a\u00a0', '\u00a0a\u00a0'],
  ['\na', '\na'],
])('of the value %j the whitespace of RFC 9110 around it is left out: %j', (value, expected) => {
  expect(withoutWhitespaceAround(value)).toBe(expected)
})

test('the shared secret is stored under a name that no caller can have', () => {
  expect(SHARED_CALLER).toBe('*shared*')
  expect(isCaller(SHARED_CALLER)).toBe(false)
})

test.each([
  ['windowSeconds', 'windowBackSeconds'],
  ['window', 'windowBackSeconds'],
  ['maxAge', 'windowBackSeconds'],
  ['clockTolerance', 'windowAheadSeconds'],
  ['clockSkew', 'windowAheadSeconds'],
])('who writes %s is told of %s', (written, meant) => {
  for (const format of [xHeaders, rfc9421]) {
    expect(() => format({ [written]: 60 })).toThrow(new RegExp(`"${written}".*"${meant}"`))
  }
})
