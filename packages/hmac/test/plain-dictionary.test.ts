import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { type Dictionary, type Item, isInnerList, parseDictionary, serializeDictionary } from 'structured-headers'
import { parsePlainDictionary } from '../src/formats/plain-dictionary.js'

const RUNS = { numRuns: 3000 }

/** A dictionary as values that can be compared: the library's own byte sequences are another type than ours. */
function plainly(dictionary: Dictionary) {
  const bare = (value: unknown) =>
    ArrayBuffer.isView(value)
      ? Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('hex')
      : value instanceof ArrayBuffer
        ? Buffer.from(value).toString('hex')
        : value
  return [...dictionary].map(([key, member]) => [
    key,
    isInnerList(member) ? member[0].map(([value, parameters]) => [bare(value), [...parameters]]) : bare(member[0]),
    [...member[1]],
  ])
}

const fragment = fc.constantFrom(
  ...[
    'sig1',
    'a*',
    'A',
    '=',
    '(',
    ')',
    '"',
    '"a"',
    '"@path"',
    ' ',
    '  ',
    ', ',
    ';',
    ';a',
    ';b=1',
    ';c="x"',
    ';c="x;y"',
  ],
  ...['\\', '\\"', '0', '01', '-1', '1.0', '1.5', '999999999999999', '9999999999999999', '?1', 'token', ':', ':AA==:'],
  ...[':AB==:', ':AAAA:', ':AAA=:', ':AAB=:', '::', ':A:', '\t', 'é', '\n'],
)
const printable = fc.string({ unit: fc.integer({ min: 0x20, max: 0x7e }).map((code) => String.fromCharCode(code)) })
const key = fc.stringMatching(/^[a-z*][a-z0-9_.*-]{0,8}$/)
const number = fc.integer({ min: 0, max: 999_999_999_999_999 })
const parameters = (text: fc.Arbitrary<string>) => fc.dictionary(key, fc.oneof(text, number), { maxKeys: 6 })
const innerList = (text: fc.Arbitrary<string>) =>
  fc.tuple(key, fc.array(text, { minLength: 1, maxLength: 6 }), parameters(text)).map(([name, items, extra]) => {
    const list = items.map((item): Item => [item, new Map()])
    return serializeDictionary(new Map([[name, [list, new Map(Object.entries(extra))]]]))
  })
const bytes = fc
  .tuple(key, fc.uint8Array({ minLength: 1, maxLength: 70 }))
  .map(([name, value]) => serializeDictionary(new Map([[name, [value, new Map()]]])))
/** What is printed, with one stretch of it replaced. */
const edited = fc
  .tuple(fc.oneof(innerList(printable), bytes), fc.nat(), fc.nat({ max: 3 }), fc.oneof(fragment, fc.constant('')))
  .map(([text, at, length, by]) => {
    const start = at % (text.length + 1)
    return text.slice(0, start) + by + text.slice(start + length)
  })
const anything = fc.oneof(
  fc.string(),
  fc.array(fragment).map((parts) => parts.join('')),
  innerList(printable),
  edited,
)

test('[hmac-generated] a dictionary that is read the short way is what the library reads, and prints back identically', () => {
  let read = 0
  fc.assert(
    fc.property(anything, (text) => {
      const ours = parsePlainDictionary(text)
      if (ours === undefined) return
      read += 1
      const theirs = parseDictionary(text)
      expect(plainly(ours)).toEqual(plainly(theirs))
      expect(serializeDictionary(theirs)).toBe(text)
      expect(serializeDictionary(ours)).toBe(text)
    }),
    RUNS,
  )
  expect(read).toBeGreaterThan(RUNS.numRuns / 10)
})

test('one list of texts without escapes, or one byte sequence, is read the short way', () => {
  const simple = printable.map((text) => text.replace(/["\\;]/g, '_'))
  fc.assert(
    fc.property(fc.oneof(innerList(simple), bytes), (text) => {
      expect(parsePlainDictionary(text)).toBeDefined()
    }),
    RUNS,
  )
})

describe('the short way leaves to the library', () => {
  test.each([
    ['nothing', ''],
    ['two members', 'a=:AAAA:, b=:AAAA:'],
    ['two of one key', 'a=:AAAA:, a=:AAAA:'],
    ['a space in front', ' a=:AAAA:'],
    ['a space behind', 'a=:AAAA: '],
    ['a line feed behind', 'a=:AAAA:\n'],
    ['a key in upper case', 'A=:AAAA:'],
    ['a key that starts with a digit', '1a=:AAAA:'],
    ['no bytes', 'a=::'],
    ['base64 without its padding', 'a=:AA:'],
    ['base64 with bits beyond the last byte', 'a=:AB==:'],
    ['base64 of the URL alphabet', 'a=:-_-_:'],
    ['base64 with a space', 'a=:AA AA:'],
    ['bytes with a parameter', 'a=:AAAA:;b=1'],
    ['a list without items', 'a=()'],
    ['a list of tokens', 'a=(b c)'],
    ['a list of numbers', 'a=(1)'],
    ['two spaces between items', 'a=("b"  "c")'],
    ['a space within the brackets', 'a=( "b")'],
    ['an escaped quote', 'a=("b\\"c")'],
    ['an escaped backslash', 'a=("b");c="\\\\"'],
    ['an item with a parameter', 'a=("b";req)'],
    ['a parameter without a value', 'a=("b");c'],
    ['a parameter that is a token', 'a=("b");c=d'],
    ['a parameter that is a boolean', 'a=("b");c=?1'],
    ['a parameter twice', 'a=("b");c=1;d=2;c=1'],
    ['a space before a parameter', 'a=("b"); c=1'],
    ['a number with a zero in front', 'a=("b");c=01'],
    ['a negative number', 'a=("b");c=-1'],
    ['a decimal', 'a=("b");c=1.5'],
    ['a number of sixteen digits', 'a=("b");c=1000000000000000'],
    ['a semicolon in a text', 'a=("b");c="d;e"'],
    ['a byte beyond ASCII', 'a=("b\u00e9")'],
    ['a control character', 'a=("b\u0000")'],
  ])('%s', (_what, text) => {
    expect(parsePlainDictionary(text)).toBeUndefined()
  })
})
