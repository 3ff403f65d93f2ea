import { resolveOptions } from '@countersign/core/gate-kit'
import { describe, expect, test } from '@jest/globals'
import { assertNotWritten, requiredFieldsRule, requiredValue } from '../src/formats/required-fields.js'

describe('a list of required fields', () => {
  const resolve = (requiredFields: unknown) =>
    resolveOptions('owner', { requiredFields }, { requiredFields: requiredFieldsRule() }).requiredFields

  test('is kept in lower case and in its order, and nobody can change it later', () => {
    const given = ['X-B', 'idempotency-key', 'x-a']
    const list = resolve(given)
    expect(list).toEqual(['x-b', 'idempotency-key', 'x-a'])
    expect(Object.isFrozen(list)).toBe(true)
    expect(given).toEqual(['X-B', 'idempotency-key', 'x-a'])
    expect(resolve([])).toEqual([])
  })

  test.each<[string, unknown]>([
    ['one name as a text', 'x-a'],
    ['an object', { 0: 'x-a', length: 1 }],
    ['a name twice', ['x-a', 'x-b', 'x-a']],
    ['a name in two spellings', ['x-a', 'X-A']],
    ['a number', ['x-a', 7]],
    ['nothing in it', [undefined]],
    ['a derived component', ['@method']],
    ['a good name and a wrong one', ['x-a', 'x b']],
    ['an empty name', ['']],
    ['a line end', ['x-a\n']],
  ])('is refused with %s, and the error names the option', (_what, list) => {
    expect(() => resolve(list)).toThrow(/^owner: .*"requiredFields".* list of header field names, none twice/)
  })
})

test('a field that the signature itself writes cannot be required: the error names both', () => {
  const check = (fields: readonly string[]) => () =>
    assertNotWritten('rfc9421', fields, ['signature-input', 'signature'])
  expect(check([])).not.toThrow()
  expect(check(['x-a', 'content-digest'])).not.toThrow()
  for (const fields of [['signature'], ['x-a', 'signature']]) {
    expect(check(fields)).toThrow(
      expect.objectContaining({
        ...{ code: 'ERR_COUNTERSIGN_OPTION_INVALID', option: 'requiredFields' },
        message: expect.stringMatching(/^rfc9421: .*"requiredFields" names "signature"/),
      }),
    )
  }
})

test('the value that is signed has no white space around it, and a field that is not sent is named', () => {
  const headers = new Map([
    ['x-a', ' \t a  b\u00a0\t'],
    ['x-empty', ''],
  ])
  expect([requiredValue(headers, 'x-a'), requiredValue(headers, 'x-empty')]).toEqual(['a  b\u00a0', ''])
  expect(() => requiredValue(headers, 'x-b')).toThrow(
    expect.objectContaining({
      ...{ code: 'ERR_COUNTERSIGN_OPTION_MISSING', option: 'headers' },
      message: expect.stringMatching(/^sign: .*"x-b".*"requiredFields"/),
    }),
  )
})
