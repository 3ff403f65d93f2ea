import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { type Dictionary, type Item, isInnerList, parseDictionary, serializeDictionary } from 'structured-headers'
import { leastCpuMs } from '../../../test/support/cpu-time.js'
import { type Member, parseDictionary as parseStrictly } from '../src/formats/dictionary.js'

const RUNS = { numRuns: 3000 }

const comparable = (value: unknown) =>
  ArrayBuffer.isView(value)
    ? Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('hex')
    : value instanceof ArrayBuffer
      ? Buffer.from(value).toString('hex')
      : value

/** What the library read, as values that can be compared. */
function theirs(dictionary: Dictionary) {
  return [...dictionary].map(([key, member]) => [
    key,
    isInnerList(member)
      ? member[0].map(([value, parameters]) => [comparable(value), entries(parameters)])
      : comparable(member[0]),
    entries(member[1]),
  ])
}

/** What we read, in the same form. */
function ours(dictionary: ReadonlyMap<string, Member>) {
  return [...dictionary].map(([key, { value, parameters }]) => [
    key,
    Array.isArray(value) ? value.map((item) => [comparable(item.value), entries(item.parameters)]) : comparable(value),
    entries(parameters),
  ])
}

const entries = (parameters: ReadonlyMap<string, unknown>) =>
  [...parameters].map(([key, value]) => [key, comparable(value)])

/** Whether a dictionary of the library has only what message signatures use. */
function isOfSignatures(dictionary: Dictionary): boolean {
  const isItem = (value: unknown) =>
    typeof value === 'string' || value instanceof ArrayBuffer || ArrayBuffer.isView(value) || Number.isInteger(value)
  const areParameters = (parameters: ReadonlyMap<string, unknown>) =>
    [...parameters.values()].every((value) => value === true || isItem(value))
  return [...dictionary.values()].every(
    (member) =>
      areParameters(member[1]) &&
      (isInnerList(member)
        ? member[0].every(([value, parameters]) => isItem(value) && areParameters(parameters))
        : isItem(member[0])),
  )
}

function readByLibrary(text: string): Dictionary | undefined {
  try {
    return parseDictionary(text)
  } catch {
    return undefined
  }
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

const dictionaries = fc.oneof(
  anything,
  fc
    .array(fc.oneof(innerList(printable), bytes, edited), { minLength: 1, maxLength: 3 })
    .map((parts) => parts.join(', ')),
)

test('[hmac-generated] what is read is what the library reads, and prints back identically', () => {
  let read = 0
  fc.assert(
    fc.property(dictionaries, (text) => {
      const found = parseStrictly(text)
      if (found === undefined) return
      read += 1
      const expected = parseDictionary(text)
      expect(ours(found)).toEqual(theirs(expected))
      expect(serializeDictionary(expected)).toBe(text)
      expect([...found].map(([name, { text: own }]) => `${name}=${own}`).join(', ')).toBe(text)
    }),
    RUNS,
  )
  expect(read).toBeGreaterThan(RUNS.numRuns / 10)
})

test('[hmac-generated] what the library reads and prints back identically is read, if message signatures use it', () => {
  let read = 0
  fc.assert(
    fc.property(dictionaries, (text) => {
      const expected = readByLibrary(text)
      if (expected === undefined || expected.size === 0 || text.length > 4096) return
      if (!isOfSignatures(expected) || serializeDictionary(expected) !== text) return
      read += 1
      expect(parseStrictly(text)).toBeDefined()
    }),
    RUNS,
  )
  expect(read).toBeGreaterThan(RUNS.numRuns / 10)
})

describe('refused is', () => {
  test.each([
    ['nothing', ''],
    ['two of one key', 'a=:AAAA:, a=:AAAA:'],
    ['a space in front', ' a=:AAAA:'],
    ['a space behind', 'a=:AAAA: '],
    ['a line feed behind', 'a=:AAAA:\n'],
    ['a key in upper case', 'A=:AAAA:'],
    ['a key that starts with a digit', '1a=:AAAA:'],
    ['base64 without its padding', 'a=:AA:'],
    ['base64 with bits beyond the last byte', 'a=:AB==:'],
    ['base64 of the URL alphabet', 'a=:-_-_:'],
    ['base64 with a space', 'a=:AA AA:'],
    ['a list of tokens', 'a=(b c)'],
    ['two spaces between items', 'a=("b"  "c")'],
    ['a space within the brackets', 'a=( "b")'],
    ['a parameter that is a token', 'a=("b");c=d'],
    ['a parameter that is a boolean', 'a=("b");c=?1'],
    ['a parameter twice', 'a=("b");c=1;d=2;c=1'],
    ['a space before a parameter', 'a=("b"); c=1'],
    ['a number with a zero in front', 'a=("b");c=01'],
    ['a decimal', 'a=("b");c=1.5'],
    ['minus zero', 'a=("b");c=-0'],
    ['a member without a value', 'a'],
    ['a comma at the end', 'a=:AAAA:,'],
    ['two spaces after a comma', 'a=:AAAA:,  b=:AAAA:'],
    ['4097 characters', `a="${'x'.repeat(4093)}"`],
    ['a number of sixteen digits', 'a=("b");c=1000000000000000'],
    ['a byte beyond ASCII', 'a=("b\u00e9")'],
    ['a control character', 'a=("b\u0000")'],
  ])('%s', (_what, text) => {
    expect(parseStrictly(text)).toBeUndefined()
  })
})

test.each([
  ['two members', 'a=:AAAA:, b=:AAAA:', 2],
  ['no bytes', 'a=::', 1],
  ['bytes with a parameter', 'a=:AAAA:;b=1', 1],
  ['a list without items', 'a=()', 1],
  ['a list of numbers', 'a=(1)', 1],
  ['an escaped quote', 'a=("b\\"c")', 1],
  ['an escaped backslash', 'a=("b");c="\\\\"', 1],
  ['an item with a parameter', 'a=("b";req)', 1],
  ['a parameter without a value', 'a=("b");c', 1],
  ['a negative number', 'a=("b");c=-1', 1],
  ['a semicolon in a text', 'a=("b");c="d;e"', 1],
  ['4096 characters', `a="${'x'.repeat(4092)}"`, 1],
])('read is %s', (_what, text, size) => {
  expect(parseStrictly(text)?.size).toBe(size)
})

test('a long run of one character is read in linear time', async () => {
  const reading = (length: number) => {
    const texts = ['"', '\\', ' ', ';a', 'a', '0', ':', '=', '('].map((part) =>
      `a=("${part.repeat(length)}`.slice(0, 4096),
    )
    return () => {
      for (let round = 0; round < 200; round += 1) for (const text of texts) parseStrictly(text)
    }
  }
  const { short, long } = await leastCpuMs({ short: reading(512), long: reading(4096) })
  // Eight times the length: quadratic work would take 64 times as long.
  expect(long).toBeLessThan(30 * Math.max(short, 1))
})
