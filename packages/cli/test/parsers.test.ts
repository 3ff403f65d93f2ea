import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseEnv } from 'node:util'
import { decodeToken } from '@countersign/oauth-bearer/explain'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { cpuMs } from '../../../test/support/cpu-time.js'
import { parseEvent } from '../src/audit/events.js'
import { readBack } from '../src/audit/read-lines.js'
import { parseSeconds, relativeTime } from '../src/durations.js'
import { parseRefusal } from '../src/hmac/compare-refusal.js'
import { addVariable, removeVariable } from '../src/hmac/env-file.js'
import { escapedLines } from '../src/hmac/explain.js'
import { parseChallenges } from '../src/oauth/parse-challenges.js'
import { rawTarget } from '../src/send-request.js'

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'countersign-cli-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

describe('challenges', () => {
  const read = (field: string) =>
    parseChallenges(field)?.map(({ scheme, parameters }) => [scheme, Object.fromEntries(parameters)])

  test.each([
    ['Bearer', [['bearer', {}]]],
    ['Bearer realm="a, b", scope=x', [['bearer', { realm: 'a, b', scope: 'x' }]]],
    ['Bearer realm="a \\"quoted\\" b"', [['bearer', { realm: 'a "quoted" b' }]]],
    [
      'Negotiate YWJj==, Bearer error = "x"',
      [
        ['negotiate', {}],
        ['bearer', { error: 'x' }],
      ],
    ],
    [
      'Basic,Bearer a=1 , b=2',
      [
        ['basic', {}],
        ['bearer', { a: '1', b: '2' }],
      ],
    ],
    ['', []],
  ])('%j', (field, expected) => {
    expect(read(field)).toEqual(expected)
  })

  test.each([['Bearer "'], ['realm="x"'], ['Bearer a=1, a=2'], ['Bearer a="unterminated'], ['@'], ['Bearer a=1;b=2']])(
    'outside the grammar: %j',
    (field) => {
      expect(read(field)).toBeUndefined()
    },
  )

  test('are parsed without a throw, and back as they were written', () => {
    fc.assert(fc.property(fc.string(), (field) => void parseChallenges(field)))
    const token = fc.stringMatching(/^[a-z][a-z0-9_-]{0,8}$/)
    const challenge = fc.tuple(
      token,
      fc.dictionary(token, fc.stringMatching(/^[\x20-\x7e]{0,12}$/), { noNullPrototype: true }),
    )
    fc.assert(
      fc.property(fc.array(challenge, { maxLength: 4 }), (challenges) => {
        const write = ([scheme, parameters]: (typeof challenges)[number]) =>
          [
            scheme,
            Object.entries(parameters)
              .map(([name, value]) => `${name}="${value.replace(/["\\]/g, '\\$&')}"`)
              .join(', '),
          ]
            .filter(Boolean)
            .join(' ')
        expect(read(challenges.map(write).join(', '))).toEqual(challenges)
      }),
    )
  })

  test.each([
    ['quotes', 'Bearer a="'.repeat(20_000)],
    ['schemes', 'a '.repeat(50_000)],
    ['token68', `Bearer ${'a'.repeat(100_000)}:`],
    ['backslashes', `Bearer a="${'\\'.repeat(100_001)}`],
    ['commas', ','.repeat(100_000)],
  ])('are parsed in linear time: %s', (_what, field) => {
    expect(cpuMs(() => parseChallenges(field))).toBeLessThan(2000)
  })
})

describe('a file of variables', () => {
  const NAME = fc.stringMatching(/^[A-Z][A-Z0-9_]{0,10}$/)
  const VALUE = fc.stringMatching(/^[A-Za-z0-9+/=._ #'"-]{0,20}$/)

  test('holds after a change what it held before, and the change', async () => {
    const file = join(folder, 'variables')
    const lines = fc.array(
      fc.oneof(
        fc.tuple(NAME, VALUE).map(([name, value]) => `${name}='${value.replaceAll("'", '')}'`),
        fc.constant('# a comment'),
        fc.constant(''),
      ),
    )
    await fc.assert(
      fc.asyncProperty(lines, fc.stringMatching(/^[A-Za-z0-9+/=]{1,40}$/), async (text, value) => {
        writeFileSync(file, text.join('\n'))
        const before = parseEnv(readFileSync(file, 'utf8'))
        await addVariable(file, 'ZZ_NEW_NAME', value)
        expect(parseEnv(readFileSync(file, 'utf8'))).toEqual({ ...before, ZZ_NEW_NAME: value })
        await expect(addVariable(file, 'ZZ_NEW_NAME', value)).rejects.toThrow('is already set in')
        await removeVariable(file, 'ZZ_NEW_NAME')
        expect(parseEnv(readFileSync(file, 'utf8'))).toEqual(before)
      }),
      { numRuns: 50 },
    )
  })

  test('is unchanged when a value has several lines', async () => {
    const file = join(folder, 'several-lines')
    const text = 'A="first\nrest"\nB=1\n'
    writeFileSync(file, text)
    await expect(removeVariable(file, 'A')).rejects.toThrow('edit it by hand')
    expect(readFileSync(file, 'utf8')).toBe(text)
  })
})

test('the last lines of a file are those of the whole file', () => {
  const file = join(folder, 'lines')
  const line = fc.oneof(fc.stringMatching(/^[a-z€]{1,10}$/), fc.constant('x'.repeat(70_000)))
  fc.assert(
    fc.property(
      fc.array(line, { maxLength: 8 }),
      fc.integer({ min: 1, max: 9 }),
      fc.boolean(),
      (lines, count, isEnded) => {
        writeFileSync(file, lines.join('\n') + (isEnded && lines.length > 0 ? '\n' : ''))
        expect(readBack(file, count, (text) => text).kept).toEqual(lines.slice(-count))
      },
    ),
    { numRuns: 60 },
  )
})

test('text from a network or a file never throws but as documented', () => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      decodeToken(text)
      parseEvent(text)
      expect(() => parseRefusal(text)).toThrow('--refusal must be')
    }),
  )
  for (const text of [
    'null',
    '1',
    '[]',
    '{}',
    '{"type":1,"time":2}',
    'a.b.c',
    `${Buffer.from('[]').toString('base64url')}.e30.x`,
  ]) {
    expect([decodeToken(text), parseEvent(text)]).toEqual([undefined, undefined])
  }
})

test.each([
  ['https://host', '/'],
  ['https://host?a=1', '/?a=1'],
  ['https://host/a/../b?c=%2e#d', '/a/../b?c=%2e'],
  ['http://[::1]:80//x', '//x'],
])('the target of %s is %s, unchanged', (url, target) => {
  expect(rawTarget(url)).toBe(target)
})

test('a signed text is shown with each line end and escaped non-ASCII characters', () => {
  expect(escapedLines('GET\n/a\u007fé\n\nlast')).toEqual(['"GET\\n"', '"/a\\x7f\\xe9\\n"', '"\\n"', '"last"'])
})

test('times are parsed and printed in one way', () => {
  expect(['90', '90s', '15m', '24h', '7d', '0s'].map(parseSeconds)).toEqual([90, 90, 900, 86_400, 604_800, 0])
  for (const text of ['', 'soon', '1w', '-1s', '1.5h', ' 1s', '999999999s'])
    expect(() => parseSeconds(text)).toThrow('It must look like')
  const now = 1_000_000_000_000
  expect([1000, 180_000, -7_200_000, 864_000_000].map((ms) => relativeTime(now + ms, now))).toEqual([
    'in 1 s',
    'in 3 min',
    '2 h ago',
    'in 10 d',
  ])
})
