import { describe, expect, test } from '@jest/globals'
import { parseContentDigest, parseCoverage, parseSignatureFields } from '../src/formats/signature-fields.js'

const TAG = 'countersign'
const bytes = (length: number, value = 7) => `:${Buffer.alloc(length, value).toString('base64')}:`
const LIST = '("@method" "x-a")'
const PARAMETERS = ';created=1700000000;nonce="n-1";keyid="scheduler/3";alg="hmac-sha256";tag="countersign"'
const INPUT = `sig1=${LIST}${PARAMETERS}`
const SIGNATURE = `sig1=${bytes(32)}`
const FOREIGN = 'proxy=("@path");created=1;tag="proxy"'

const parse = (inputs: string | readonly string[] = INPUT, signatures: string | readonly string[] = SIGNATURE) =>
  parseSignatureFields([inputs].flat(), [signatures].flat(), TAG)
/** The parameters with one of them replaced, or, by nothing, left out. */
const having = (from: string | RegExp, to: string) => {
  expect(INPUT.replace(from, to)).not.toBe(INPUT)
  return parse(INPUT.replace(from, to))
}
const malformed = (part: string) => ({ unreadable: 'malformed', part })
const ambiguous = (part: string) => ({ unreadable: 'ambiguous', part })

const GOOD = {
  ...{ components: ['@method', 'x-a'], parameters: `${LIST}${PARAMETERS}`, signature: Buffer.alloc(32, 7) },
  ...{ caller: 'scheduler', version: 3, created: 1_700_000_000, expires: undefined, nonce: 'n-1' },
}

describe('our signature', () => {
  test('is read whole, alone and beside others, on one line or several', () => {
    const theirs = `proxy=${bytes(64)}`
    expect(parse()).toEqual(GOOD)
    expect(parse(`${FOREIGN}, ${INPUT}`, `${SIGNATURE}, ${theirs}`)).toEqual(GOOD)
    expect(parse([FOREIGN, INPUT], [SIGNATURE, theirs])).toEqual(GOOD)
    expect(parse([INPUT, FOREIGN], [`${theirs}, ${SIGNATURE}`])).toEqual(GOOD)
  })

  test('may leave out alg, and may say when it ends', () => {
    expect(having(';alg="hmac-sha256"', '')).toMatchObject({ caller: 'scheduler' })
    expect(having(';nonce', ';expires=1700000060;nonce')).toMatchObject({
      created: 1_700_000_000,
      expires: 1_700_000_060,
    })
  })

  test('is none where every signature is of another application, and where there is nothing but theirs', () => {
    expect(parse(FOREIGN, `proxy=${bytes(64)}`)).toBeUndefined()
    expect(parse(FOREIGN, [])).toBeUndefined()
    for (const to of ['', ';tag="other"', ';tag=countersign', ';tag', ';tag="Countersign"']) {
      expect(having(';tag="countersign"', to)).toBeUndefined()
    }
  })
})

describe('which signature counts must not depend on the reader:', () => {
  test.each<[string, string | string[], string | string[], object]>([
    ['our tag twice', `${INPUT}, ${INPUT.replace('sig1', 'sig2')}`, SIGNATURE, malformed('tag')],
    ['our label twice, on two lines', [INPUT, INPUT], SIGNATURE, ambiguous('signature-input')],
    ['our label twice, on one line', `${INPUT}, ${INPUT}`, SIGNATURE, malformed('signature-input')],
    ['its bytes twice, on two lines', INPUT, [SIGNATURE, SIGNATURE], ambiguous('signature')],
    ['an input that is no dictionary', 'keyId="a"', SIGNATURE, malformed('signature-input')],
    ['two lines, of which one is no dictionary', [INPUT, 'A'], SIGNATURE, ambiguous('signature-input')],
    ['an empty line beside it', [INPUT, ''], SIGNATURE, ambiguous('signature-input')],
    ['bytes that are no dictionary', INPUT, 'A', malformed('signature')],
    ['bytes on two lines, of which one is none', INPUT, [SIGNATURE, 'A'], ambiguous('signature')],
    ['an empty input', '', SIGNATURE, malformed('signature-input')],
    ['no input', [], SIGNATURE, malformed('signature-input')],
    ['no bytes', INPUT, [], malformed('signature')],
    ['empty bytes', INPUT, '', malformed('signature')],
    ['the bytes of another label', INPUT, `sig2=${bytes(32)}`, malformed('signature')],
    ['bytes that have lost their input', INPUT, `${SIGNATURE}, sig2=${bytes(32)}`, ambiguous('signature-input')],
    ['an input that has lost its bytes', `${INPUT}, ${FOREIGN}`, SIGNATURE, ambiguous('signature')],
    [
      'theirs, and bytes that have lost their input',
      FOREIGN,
      `proxy=${bytes(64)}, sig1=${bytes(32)}`,
      malformed('signature-input'),
    ],
  ])('%s is refused', (_what, inputs, signatures, refused) => {
    expect(parse(inputs, signatures)).toEqual(refused)
  })
})

describe('malformed is our signature', () => {
  test.each<[string, string]>([
    ['31 bytes', bytes(31)],
    ['33 bytes', bytes(33)],
    ['no bytes', '::'],
    ['a text', '"a"'],
    ['a list', `(${bytes(32)})`],
    ['bytes with a parameter', `${bytes(32)};a`],
  ])('of %s', (_what, value) => {
    expect(parse(INPUT, `sig1=${value}`)).toEqual(malformed('signature'))
  })

  test.each<[string, string]>([
    ['no list', '"@method"'],
    ['a component twice', '("@method" "@method")'],
    ['a component with a parameter', '("x-a";sf)'],
    ['a component that is a token', '(x-a)'],
    ['a component that is a number', '(1)'],
    ['a derived component that we do not have', '("@target-uri")'],
    ['a field in upper case', '("X-A")'],
    ['an empty name', '("")'],
    ['a name of 65 characters', `("${'x'.repeat(65)}")`],
    ['a name with a space', '("a b")'],
  ])('that covers %s', (_what, list) => {
    expect(having(LIST, list)).toEqual(malformed('components'))
  })

  test('also when its list of components comes again', () => {
    for (let time = 0; time < 2; time += 1) {
      expect(having(LIST, '("x-a" "@scheme")')).toEqual(malformed('components'))
      expect(having(LIST, '("@method" "@authority" "@path" "@query")')).toMatchObject({
        components: ['@method', '@authority', '@path', '@query'],
      })
    }
  })

  test.each<[string, string | RegExp, string, string]>([
    ['an unknown parameter', ';alg', ';extra=1;alg', 'parameters'],
    ['an unknown parameter in place of one of ours', ';alg="hmac-sha256"', ';extra=1', 'parameters'],
    ['no created', ';created=1700000000', '', 'created'],
    ['a negative created', '=1700000000', '=-1', 'created'],
    ['a decimal created', '=1700000000', '=1700000000.0', 'created'],
    ['a created that is a text', '=1700000000', '="1700000000"', 'created'],
    ['a created of twelve digits', '=1700000000', '=100000000000', 'created'],
    ['an expires that is a date', ';nonce', ';expires=@1700000000;nonce', 'expires'],
    ['a negative expires', ';nonce', ';expires=-1;nonce', 'expires'],
    ['no nonce', ';nonce="n-1"', '', 'nonce'],
    ['an empty nonce', '"n-1"', '""', 'nonce'],
    ['a nonce of 257 characters', 'n-1', 'n'.repeat(257), 'nonce'],
    ['a nonce that is a token', '"n-1"', 'n-1', 'nonce'],
    ['another alg', 'hmac-sha256', 'hmac-sha512', 'alg'],
    ['an alg that is a token', '"hmac-sha256"', 'hmac-sha256', 'alg'],
    ['an empty alg', '"hmac-sha256"', '""', 'alg'],
    ['no keyid', ';keyid="scheduler/3"', '', 'keyid'],
    ['a keyid that is a number', '"scheduler/3"', '3', 'keyid'],
    ['a keyid without a version', 'scheduler/3', 'scheduler', 'keyid'],
    ['a keyid of a digit alone', 'scheduler/3', '33', 'keyid'],
    ['a keyid without a caller', 'scheduler/3', '/3', 'keyid'],
    ['a keyid of three parts', 'scheduler/3', 'scheduler/3/4', 'keyid'],
    ['a keyid of a caller in upper case', 'scheduler/3', 'Scheduler/3', 'keyid'],
    ['a keyid of the shared secret', 'scheduler/3', '*shared*/3', 'keyid'],
    ['a keyid of version 0', 'scheduler/3', 'scheduler/0', 'keyid'],
    ['a keyid of version 03', 'scheduler/3', 'scheduler/03', 'keyid'],
  ])('with %s', (_what, from, to, part) => {
    expect(having(from, to)).toMatchObject(malformed(part))
  })

  test('with a time in milliseconds, which is said', () => {
    const hint = 'milliseconds'
    expect(having('=1700000000', '=1700000000000')).toEqual({ ...malformed('created'), hint })
    expect(having(';nonce', ';expires=1700000000000;nonce')).toEqual({ ...malformed('expires'), hint })
  })
})

test.each([
  [
    '0 and the last second that has eleven digits',
    '=1700000000',
    '=0;expires=99999999999',
    { created: 0, expires: 99_999_999_999 },
  ],
  ['a nonce of 256 characters', 'n-1', 'n'.repeat(256), { nonce: 'n'.repeat(256) }],
  ['a nonce with a space and a quote', 'n-1', 'n \\"~', { nonce: 'n "~' }],
  ['a name of 64 characters', '"x-a"', `"${'x'.repeat(64)}"`, { components: ['@method', 'x'.repeat(64)] }],
])('within the profile is %s', (_what, from, to, found) => {
  expect(having(from, to)).toMatchObject(found)
})

describe('what is signed is the one spelling that a serialiser prints', () => {
  test.each<[string, string, string, string]>([
    ['spaces', `${LIST};created`, '( "@method"   "x-a" ); created', `${LIST};created`],
    ['no components', LIST, '( )', '()'],
    ['zeros in front', '=1700000000', '=0001700000000', '=1700000000'],
    [
      'a quote and a backslash',
      `${LIST};created=1700000000;nonce="n-1"`,
      `( "x-a" );created=0;nonce="\\"\\\\"`,
      '("x-a");created=0;nonce="\\"\\\\"',
    ],
  ])('of %s', (_what, from, to, printed) => {
    const found = having(from, to)
    expect(found).toMatchObject({ parameters: `${LIST}${PARAMETERS}`.replace(from, printed) })
  })
})

describe('a Content-Digest', () => {
  test('is each digest that we can compute, in the order of their strength', () => {
    const sha256 = { algorithm: 'sha256', value: Buffer.alloc(32, 7) }
    const sha512 = { algorithm: 'sha512', value: Buffer.alloc(64, 7) }
    expect(parseContentDigest(`sha-256=${bytes(32)}`)).toEqual([sha256])
    expect(parseContentDigest(`sha-512=${bytes(64)}`)).toEqual([sha512])
    expect(parseContentDigest(`sha-512=${bytes(64)}, md5=:AAAA:, sha-256=${bytes(32)}`)).toEqual([sha256, sha512])
  })

  test.each<[string, string]>([
    ['nothing', ''],
    ['no dictionary', 'SHA-256=abc'],
    ['an unknown one alone', 'md5=:AAAA:'],
    ['one of 31 bytes', `sha-256=${bytes(31)}`],
    ['a sha-512 of 32 bytes', `sha-512=${bytes(32)}`],
    ['a right one and a wrong one', `sha-256=${bytes(32)}, sha-512=${bytes(63)}`],
    ['a text', 'sha-256="a"'],
    ['one with a parameter', `sha-256=${bytes(32)};a`],
    ['no value', 'sha-256'],
  ])('is none of %s', (_what, text) => {
    expect(parseContentDigest(text)).toBeUndefined()
  })
})

describe('what a signature covers, or should,', () => {
  test('is read of the first member, with its tag where it has one', () => {
    const read = (text: string) => parseCoverage(text)
    expect(read(`${INPUT}, ${FOREIGN}`)).toEqual({ tag: TAG, components: ['@method', 'x-a'] })
    expect(read('a=("@path");created')).toEqual({ tag: undefined, components: ['@path'] })
    expect(read('a=();tag=b')).toEqual({ tag: undefined, components: [] })
  })

  test.each(['', 'a', 'a=1', 'a="@path"', 'a=("@path";req)', 'a=("@PATH")', 'A=()'])('is not of %j', (text) => {
    expect(parseCoverage(text)).toBeUndefined()
  })
})
