import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import {
  type Dictionary,
  DisplayString,
  type Item,
  isInnerList,
  parseDictionary,
  serializeDictionary,
  Token,
} from 'structured-headers'
import { leastCpuMs } from '../../../test/support/cpu-time.js'
import {
  type Member,
  type Item as OurItem,
  parseDictionary as parseStrictly,
  UNUSED,
} from '../src/formats/dictionary.js'
import { parseSignatureFields } from '../src/formats/signature-fields.js'

const RUNS = { numRuns: 3000 }

/** Keys and values, in their order; of the types that message signatures do not use here, only that it is one of them. */
type Flat = unknown[]

const flatParameters = (parameters: ReadonlyMap<string, unknown>): Flat =>
  [...parameters].flatMap(([key, value]) => [`;${key}`, value])

/** What the library read, as values that can be compared. */
const theirs = (dictionary: Dictionary): Flat =>
  [...dictionary].flatMap(([key, member]) => [
    key,
    ...(isInnerList(member) ? member[0].flatMap(([value, own]) => ['(', value, ...flatParameters(own)]) : [member[0]]),
    ...flatParameters(member[1]),
  ])

/** What we read, in the same form. */
const ours = (dictionary: ReadonlyMap<string, Member>): Flat =>
  [...dictionary].flatMap(([key, { value, parameters }]) => [
    key,
    ...(Array.isArray(value)
      ? (value as OurItem[]).flatMap((item) => ['(', item.value, ...flatParameters(item.parameters)])
      : [value]),
    ...flatParameters(parameters),
  ])

const comparable = (value: unknown) =>
  ArrayBuffer.isView(value)
    ? Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('hex')
    : value instanceof ArrayBuffer
      ? Buffer.from(value).toString('hex')
      : value

const isUnused = (value: unknown) =>
  value instanceof Token || value instanceof DisplayString || value instanceof Date || typeof value === 'number'

/** A decimal such as 1.0 is a number to the library; we set it apart from an integer. */
function expectSame(read: ReadonlyMap<string, Member>, expected: Dictionary): void {
  const [mine, other] = [ours(read), theirs(expected)]
  const seen = mine.map((value, at) => (value === UNUSED && isUnused(other[at]) ? other[at] : value))
  const plain = (value: unknown) => (value === 0 ? 0 : comparable(value))
  expect(seen.map(plain)).toEqual(other.map(plain))
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
  ...[
    '\\',
    '\\"',
    '0',
    '01',
    '-1',
    '1.0',
    '1.5',
    '999999999999999',
    '9999999999999999',
    '?1',
    'token',
    '@1',
    '%"a"',
    ':',
    ':AA==:',
  ],
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

/** The library keeps a date (RFC 9651 §3.3.7) in a JavaScript one, which ends at 8.64e12 seconds. */
const BEYOND_THE_LIBRARY = /@-?\d{13}/

test('[hmac-generated] what is read is what the library reads', () => {
  let read = 0
  fc.assert(
    fc.property(dictionaries, (text) => {
      const found = parseStrictly(text)
      if (found === undefined || BEYOND_THE_LIBRARY.test(text)) return
      read += 1
      expectSame(found, parseDictionary(text))
    }),
    RUNS,
  )
  expect(read).toBeGreaterThan(RUNS.numRuns / 10)
})

test('[hmac-generated] what the library reads and prints back identically is read', () => {
  let read = 0
  fc.assert(
    fc.property(dictionaries, (text) => {
      const expected = readByLibrary(text)
      if (expected === undefined || expected.size === 0 || text.length > 4096) return
      if (serializeDictionary(expected) !== text) return
      read += 1
      const found = parseStrictly(text)
      if (found === undefined) throw new Error(`not read: ${text}`)
      expectSame(found, expected)
    }),
    RUNS,
  )
  expect(read).toBeGreaterThan(RUNS.numRuns / 10)
})

/** White space where the RFC allows it, mostly none: what stands in front of it is the canonical form. */
const gap = (least: string, ...more: string[]) => fc.constantFrom(least, least, ...more)
const spelt = {
  afterSemicolon: gap('', ' ', '  '),
  open: gap('', ' '),
  between: gap(' ', '  '),
  close: gap('', ' ', '  '),
  comma: gap(', ', ',', ' , ', '\t,\t ', ',  '),
  zeros: gap('', '0', '00'),
}
const texts = fc.stringMatching(/^[ !#-[\]-~]{0,12}$/)
const CANONICAL = { afterSemicolon: '', open: '', between: ' ', close: '', comma: ', ', zeros: '' }
type Spelling = typeof CANONICAL

const components = fc.uniqueArray(fc.constantFrom('@method', '@path', '@query', 'content-digest', 'x-a'), {
  minLength: 1,
})
const printed = (
  items: readonly string[],
  extra: Readonly<Record<string, string | number>>,
  { afterSemicolon, open, between, close, zeros }: Spelling,
) =>
  `(${open}${items.map((item) => `"${item}"`).join(between)}${close})${Object.entries(extra)
    .map(
      ([name, value]) => `;${afterSemicolon}${name}=${typeof value === 'string' ? `"${value}"` : `${zeros}${value}`}`,
    )
    .join('')}`

test('[hmac-generated] every legal spelling of a signature is read, and what is signed is the one that is printed', () => {
  const list = fc.record({ items: components, nonce: texts, created: fc.integer({ min: 0, max: 99_999_999 }) })
  let differs = 0
  fc.assert(
    fc.property(list, fc.record(spelt), fc.boolean(), ({ items, nonce, created }, spelling, isFirst) => {
      const order = isFirst ? { created, nonce: `n${nonce}` } : { nonce: `n${nonce}`, created }
      const extra = { ...order, keyid: 'a/1', tag: 'countersign' }
      const foreign = 'proxy=("@method";req);created=1'
      const sent = `sig1=${printed(items, extra, spelling)}${spelling.comma}${foreign}`
      const bytes = `:${Buffer.alloc(32).toString('base64')}:`
      const found = parseSignatureFields([sent], [`sig1=${bytes}${spelling.comma}proxy=${bytes}`], 'countersign')
      if (found === undefined || 'unreadable' in found) throw new Error(`not read: ${sent} ${found?.part}`)
      const { parameters, components: names } = found
      if (!sent.includes(parameters)) differs += 1
      expect([parameters, names]).toEqual([printed(items, extra, CANONICAL), items])
      const [, member] = [...parseDictionary(sent)][0] ?? []
      expect(`sig1=${parameters}`).toBe(serializeDictionary(new Map([['sig1', member as never]])))
    }),
    RUNS,
  )
  expect(differs).toBeGreaterThan(RUNS.numRuns / 10)
})

describe('refused is', () => {
  test.each([
    ['nothing', ''],
    ['only spaces', '  '],
    ['two of one key', 'a=:AAAA:, a=:AAAA:'],
    ['a tab in front', '\ta=:AAAA:'],
    ['a line feed behind', 'a=:AAAA:\n'],
    ['a key in upper case', 'A=:AAAA:'],
    ['a key that starts with a digit', '1a=:AAAA:'],
    ['base64 without its padding', 'a=:AA:'],
    ['base64 with bits beyond the last byte', 'a=:AB==:'],
    ['base64 of the URL alphabet', 'a=:-_-_:'],
    ['base64 with a space', 'a=:AA AA:'],
    ['a list without a space between its items', 'a=("b""c")'],
    ['a tab between items', 'a=("b"\t"c")'],
    ['a list that does not end', 'a=("b" '],
    ['a parameter twice', 'a=("b");c=1;d=2;c=1'],
    ['a space in front of a parameter', 'a=("b") ;c=1'],
    ['a tab behind a semicolon', 'a=("b");\tc=1'],
    ['a semicolon without a parameter', 'a=("b");'],
    ['a comma at the end', 'a=:AAAA:,'],
    ['two commas', 'a=1,,b=1'],
    ['a space in front of a value', 'a= 1'],
    ['a boolean that is neither 0 nor 1', 'a=?2'],
    ['a decimal without a fraction', 'a=1.'],
    ['a decimal of four digits', 'a=1.0001'],
    ['a date with a fraction', 'a=@1.5'],
    ['a display string that is not UTF-8', 'a=%"%ff"'],
    ['a display string with upper-case hex', 'a=%"%C3%BC"'],
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
  ['no space after a comma', 'a=:AAAA:,b=:AAAA:', 2],
  ['white space around a comma', 'a=:AAAA: \t,\t b=:AAAA:', 2],
  ['a space in front and behind', ' a=:AAAA: ', 1],
  ['no bytes', 'a=::', 1],
  ['bytes with a parameter', 'a=:AAAA:;b=1', 1],
  ['a list without items', 'a=()', 1],
  ['a list of numbers', 'a=(1)', 1],
  ['a list of tokens', 'a=(b c)', 1],
  ['spaces within the brackets', 'a=(  "b"   "c" )', 1],
  ['an escaped quote', 'a=("b\\"c")', 1],
  ['an escaped backslash', 'a=("b");c="\\\\"', 1],
  ['an item with a parameter', 'a=("b";req)', 1],
  ['a parameter without a value', 'a=("b");c', 1],
  ['a space behind a semicolon', 'a=("b"; c);  d=1', 1],
  ['a parameter that is a token, a boolean, a decimal or a date', 'a=("b");c=d;e=?1;f=1.5;g=@1', 1],
  ['a display string', 'a=%"f%c3%bc"', 1],
  ['a member without a value', 'a, b;c', 2],
  ['a negative number', 'a=("b");c=-1', 1],
  ['numbers with zeros in front', 'a=("b");c=01;d=-0', 1],
  ['a semicolon in a text', 'a=("b");c="d;e"', 1],
  ['4096 characters', `a="${'x'.repeat(4092)}"`, 1],
])('read is %s', (_what, text, size) => {
  const found = parseStrictly(text)
  expect(found?.size).toBe(size)
  if (found !== undefined) expectSame(found, parseDictionary(text))
})

test.each([
  ['as it is printed', 'a=("b" "c")', true],
  ['with more spaces than are printed', 'a=( "b"  "c")', false],
  ['with a parenthesis in a text', 'a=("b)" "c")', true],
  ['with a parameter', 'a=("b";c="d)" "e")', true],
])('a list that comes again is read as the first time: %s', (_what, text, isPrinted) => {
  const read = () => parseStrictly(`${text};d=1`)?.get('a')
  const first = read()
  expect(first?.printed === undefined).toBe(!isPrinted)
  for (let time = 0; time < 3; time += 1) expect(read()).toEqual(first)
  // What begins alike is another list.
  for (const other of [text.replace('"c"', '"x"'), text.slice(0, -1), `${text}"e")`, text.replace(')', '')]) {
    if (other !== text) expect(parseStrictly(other)?.get('a')?.value).not.toEqual(first?.value)
  }
})

test('a list with a character that only looks like one of its own is none', () => {
  // Its low byte is the one of "b".
  expect(parseStrictly('a=("\u0162")')).toBeUndefined()
  expect(parseStrictly('a=("b")')?.get('a')?.printed).toBe('("b")')
  expect(parseStrictly('a=("\u0162")')).toBeUndefined()
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
