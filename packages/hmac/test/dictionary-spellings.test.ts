import { describe, expect, test } from '@jest/globals'
import { type BareItem, type Item, type Member, parseDictionary, UNUSED } from '../src/formats/dictionary.js'

type Plain = [BareItem | [BareItem, Record<string, BareItem>][], Record<string, BareItem>]

/** What was read, by key: the value, and the parameters. */
function read(text: string): Record<string, Plain> | undefined {
  const members = parseDictionary(text)
  if (members === undefined) return undefined
  const plain = ({ value, parameters }: Member): Plain => [
    Array.isArray(value)
      ? (value as Item[]).map((item) => [item.value, Object.fromEntries(item.parameters)])
      : (value as BareItem),
    Object.fromEntries(parameters),
  ]
  return Object.fromEntries([...members].map(([key, member]) => [key, plain(member)]))
}
const item = (value: BareItem, parameters = {}): Record<string, Plain> => ({ a: [value, parameters] })
const list = (items: [BareItem, Record<string, BareItem>][], parameters = {}) => ({ a: [items, parameters] })
const bytes = (hex: string) => Buffer.from(hex, 'hex')
const [B, C]: [BareItem, Record<string, BareItem>][] = [
  ['b', {}],
  ['c', {}],
]

describe('a dictionary is', () => {
  test.each<[string, string, object]>([
    ['one member', 'a=1', item(1)],
    [
      'several, with any white space around their commas',
      'a=1,b=2 , \tc=3\t,d',
      { ...item(1), b: [2, {}], c: [3, {}], d: [true, {}] },
    ],
    ['one with spaces around it', '  a=1  ', item(1)],
    ['one with a tab behind', 'a=1\t', item(1)],
    ['keys of every character', '*a_-.*9=1, z0=2', { '*a_-.*9': [1, {}], z0: [2, {}] }],
  ])('%s', (_what, text, found) => {
    expect(read(text)).toEqual(found)
  })

  test.each([
    ['nothing', ''],
    ['spaces alone', ' '],
    ['a comma alone', ','],
    ['a comma in front', ',a'],
    ['a comma behind', 'a,'],
    ['a comma and a space behind', 'a, '],
    ['two commas', 'a,,b'],
    ['no comma', 'a b'],
    ['a semicolon in place of a comma', 'a;, b'],
    ['a tab in front', '\ta'],
    ['a line end behind', 'a\n'],
    ['a key twice', 'a=1, b, a=1'],
    ['a key in upper case', 'aB'],
    ['a key that begins with a digit', '0a'],
    ['a key that begins with a hyphen, an underscore or a dot', '-a'],
    ['a key that begins with an underscore', '_a'],
    ['a key that begins with a dot', '.a'],
    ['a key with a character beyond ASCII', 'a\u00e9'],
    ['a space in front of the equals sign', 'a =1'],
    ['a space behind it', 'a= 1'],
    ['an equals sign without a value', 'a='],
    ['two equals signs', 'a==1'],
  ])('none with %s', (_what, text) => {
    expect(parseDictionary(text)).toBeUndefined()
  })

  test('of 4096 characters at most', () => {
    expect(read(`a="${'x'.repeat(4092)}"`)).toEqual(item('x'.repeat(4092)))
    expect(read(`a="${'x'.repeat(4093)}"`)).toBeUndefined()
  })
})

describe('a value is', () => {
  test.each<[string, string, BareItem]>([
    ['an integer', '1', 1],
    ['zero', '0', 0],
    ['a negative integer', '-12', -12],
    ['one of fifteen digits', '999999999999999', 999_999_999_999_999],
    ['a text', '"b c"', 'b c'],
    ['an empty text', '""', ''],
    ['a text with every character', '" !#$%&()*,/:;<=>?@[]^`{|}~"', ' !#$%&()*,/:;<=>?@[]^`{|}~'],
    ['a text with quotes and backslashes', '"\\"b\\\\\\"c\\\\"', '"b\\"c\\'],
    ['no bytes', '::', bytes('')],
    ['one byte', ':/w==:', bytes('ff')],
    ['two bytes', ':++8=:', bytes('fbef')],
    ['three bytes and more', ':AAECA/8=:', bytes('00010203ff')],
    ['true', '?1', true],
    ['false', '?0', false],
    ['a decimal', '1.0', UNUSED],
    ['a negative decimal of three digits', '-123456789012.125', UNUSED],
    ['a token', 'b*/:c', UNUSED],
    ['a token of every character', "B!#$%&'*+.^_`|~0z-", UNUSED],
    ['a token that begins with a star', '*', UNUSED],
    ['a date', '@1700000000', UNUSED],
    ['a negative date', '@-1', UNUSED],
    ['a display string', '%"f%c3%bc \'!~"', UNUSED],
    ['an empty one', '%""', UNUSED],
  ])('%s: %s', (_what, text, value) => {
    expect(read(`a=${text}`)).toEqual(item(value))
    expect(read(`a=${text};p=${text}, b`)).toEqual({ ...item(value, { p: value }), b: [true, {}] })
    expect(read(`a=(${text} ${text})`)).toEqual(
      list([
        [value, {}],
        [value, {}],
      ]),
    )
  })

  test.each<[string, string]>([
    ['an integer of sixteen digits', '1000000000000000'],
    ['a minus sign', '-'],
    ['two minus signs', '--1'],
    ['a plus sign', '+1'],
    ['a number behind a number', '1-1'],
    ['a decimal without a fraction', '1.'],
    ['a decimal without an integer', '.5'],
    ['a decimal of four digits', '1.0001'],
    ['a decimal of thirteen in front', '1234567890123.1'],
    ['a decimal with two points', '1.2.3'],
    ['a text without an end', '"b'],
    ['a text that ends in a backslash', '"b\\'],
    ['a text whose quote is escaped', '"b\\"'],
    ['an escaped letter', '"\\b"'],
    ['a control character in a text', '"\u001f"'],
    ['a delete character in a text', '"\u007f"'],
    ['a letter beyond ASCII in a text', '"\u00e9"'],
    ['a quote alone', '"'],
    ['bytes without an end', ':AAAA'],
    ['bytes without their padding', ':AA:'],
    ['bytes with too much of it', ':AA===:'],
    ['padding alone', ':=:'],
    ['stray bits of one byte', ':AB==:'],
    ['stray bits of two bytes', ':AAB=:'],
    ['five characters', ':AAAAA:'],
    ['padding within', ':AA==AAAA:'],
    ['bytes of the URL alphabet', ':-_-_:'],
    ['bytes with a space', ':AA AA:'],
    ['another boolean', '?2'],
    ['a boolean alone', '?'],
    ['a boolean of two digits', '?10'],
    ['a boolean with a space', '? 1'],
    ['a token that begins with a dot', '.b'],
    ['a token with a parenthesis', 'b(c'],
    ['a date with a fraction', '@1.5'],
    ['a date of sixteen digits', '@1000000000000000'],
    ['a date without a number', '@'],
    ['a display string without a quote', '%b'],
    ['one without an end', '%"b'],
    ['one with an escape in upper case', '%"%C3%BC"'],
    ['one with half an escape', '%"%c"'],
    ['one with half an escape in upper case', '%"%c3%bC"'],
    ['one that is not UTF-8', '%"%ff"'],
    ['one with a letter beyond ASCII', '%"\u00e9"'],
    ['one with a percent sign', '%"%"'],
  ])('none that is %s: %s', (_what, text) => {
    for (const [from, to] of [
      ['', ''],
      ['b;p=', ''],
      ['(', ')'],
      ['("b";p=', ')'],
    ]) {
      expect([from, parseDictionary(`a=${from}${text}${to}`)]).toEqual([from, undefined])
    }
  })
})

describe('parameters are', () => {
  test.each<[string, string, object]>([
    ['of a value', 'a=1;b=2;c="d"', item(1, { b: 2, c: 'd' })],
    ['of a member without a value', 'a;b', item(true, { b: true })],
    [
      'of a list, and of its items',
      'a=("b";c;d=1 "c");e=?0',
      list([['b', { c: true, d: 1 }], C as [BareItem, object]] as never, { e: false }),
    ],
    ['with spaces behind their semicolons', 'a=1; b;   c=2', item(1, { b: true, c: 2 })],
  ])('%s', (_what, text, found) => {
    expect(read(text)).toEqual(found)
  })

  test.each([
    ['one twice', 'a=1;b;c;b=2'],
    ['none behind a semicolon', 'a=1;'],
    ['two semicolons', 'a=1;;b'],
    ['a space in front of a semicolon', 'a=1 ;b'],
    ['a tab behind it', 'a=1;\tb'],
    ['a key in upper case', 'a=1;B'],
    ['a space around the equals sign', 'a=1;b= 2'],
    ['an equals sign without a value', 'a=1;b='],
    ['a list as a value', 'a=1;b=("c")'],
    ['one twice, of an item', 'a=("b";c;c)'],
  ])('not %s', (_what, text) => {
    expect(parseDictionary(text)).toBeUndefined()
  })
})

describe('a list is', () => {
  test.each<[string, string, object]>([
    ['empty', 'a=()', list([])],
    ['empty with spaces', 'a=(  )', list([])],
    ['of one item', 'a=("b")', list([B as never])],
    ['of several, with any spaces around them', 'a=(  "b"   "c" )', list([B as never, C as never])],
    [
      'of items that hold a parenthesis',
      'a=("b)" "(c")',
      list([
        ['b)', {}],
        ['(c', {}],
      ]),
    ],
    ['longer than the lists that are kept', `a=("${'b'.repeat(400)}" "c")`, list([['b'.repeat(400), {}], C as never])],
  ])('%s, and the same one when it comes again', (_what, text, found) => {
    for (let time = 0; time < 3; time += 1) expect(read(text)).toEqual(found)
    expect(read(`${text};p=1, b`)).toEqual({ a: [(found as { a: Plain }).a[0], { p: 1 }], b: [true, {}] })
  })

  test.each([
    ['that has no end', 'a=('],
    ['whose item is behind it', 'a=("b"'],
    ['that ends in a space', 'a=("b" '],
    ['without a space between its items', 'a=("b""c")'],
    ['with a tab between them', 'a=("b"\t"c")'],
    ['with a comma between them', 'a=("b", "c")'],
    ['within a list', 'a=(("b"))'],
    ['that ends twice', 'a=("b"))'],
    ['with a value behind it', 'a=("b")1'],
    ['with a control character', 'a=("b"\n)'],
  ])('none %s', (_what, text) => {
    for (let time = 0; time < 2; time += 1) expect(parseDictionary(text)).toBeUndefined()
  })

  test('another one where only its low bytes are those of one that is kept', () => {
    expect(read('a=("b")')).toEqual(list([B as never]))
    for (let time = 0; time < 2; time += 1) expect(read('a=("\u0162")')).toBeUndefined()
    expect(read('a=("b")')).toEqual(list([B as never]))
  })

  test('kept by its text, so that one that comes again is the same object, until a hundred others have come', () => {
    const itemsOf = (text: string) => parseDictionary(text)?.get('a')?.value
    const first = itemsOf('a=("kept")')
    const second = itemsOf('a=("kept" "too")')
    expect(itemsOf(`b="${'x'.repeat(300)}", a=("kept");b=1`)).toBe(first)
    expect(itemsOf('a=("kept" "too")')).toBe(second)
    const long = `a=("${'x'.repeat(300)}")`
    expect(itemsOf(long)).toEqual(itemsOf(long))
    expect(itemsOf(long)).not.toBe(itemsOf(long))
    for (let other = 0; other < 100; other += 1) itemsOf(`a=("other-${other}")`)
    expect(itemsOf('a=("kept")')).toEqual(first)
    expect(itemsOf('a=("kept")')).not.toBe(first)
  })
})

describe('the spelling of a member is', () => {
  const printedOf = (text: string) => parseDictionary(text)?.get('a')?.printed

  test.each(['1', '-1', '"b\\"c"', ':AAAA:', '("b" "c")', '()', '("b";c;d=1);e="f";g=?0', '1;b', '?1;b', 'b;c=1.5'])(
    'kept where a serialiser prints the same: %s',
    (text) => {
      for (let time = 0; time < 2; time += 1) {
        expect(printedOf(`a=${text}`)).toBe(text)
        expect(printedOf(` b=( "c"), a=${text} , c=01`)).toBe(text)
      }
    },
  )

  test.each([
    '01',
    '-0',
    '-01',
    '( "b")',
    '("b" )',
    '("b"  "c")',
    '( )',
    '("b"; c)',
    '("b";c=01)',
    '("b");c=01',
    '("b"); c',
    '("b");  c=1',
    '("b");c=?1',
    '("b";c=?1)',
  ])('not kept where it prints another: %s', (text) => {
    for (let time = 0; time < 2; time += 1) {
      expect(parseDictionary(`a=${text}`)?.size).toBe(1)
      expect(printedOf(`a=${text}`)).toBeUndefined()
      expect(printedOf(`a=${text}, b=1`)).toBeUndefined()
    }
  })
})
