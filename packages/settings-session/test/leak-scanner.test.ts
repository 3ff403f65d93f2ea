import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { expectLinearTime, parsersOf } from '../../../test/support/linear-time.js'
import { holdsToken, TokenScanner } from '../src/leaks/token-scanner.js'
import { mintTag, mintToken, type TokenType } from '../src/tokens.js'
import { FORMS, TOKEN } from './support/leaked-forms.js'

const SURROUNDINGS = [
  ['', ''],
  ['{"hello":"you, ', '","more":1}'],
  // What could be taken for the beginning of the token, or of an escape.
  ['l1.dbD%2&#x', '.a'],
] as const

/** What a scanner finds in pieces, and what it would not have held back of what comes before. */
function scan(pieces: readonly Uint8Array[]): { found: boolean; passed: number } {
  const scanner = new TokenScanner()
  let passed = 0
  for (const piece of pieces) {
    if (scanner.feed(piece)) return { found: true, passed }
    passed = Math.max(passed, scanner.keepFrom())
  }
  return { found: scanner.end(), passed }
}

describe.each(Object.entries(FORMS))('[settings-leak] a token as %s', (_name, form) => {
  test.each(SURROUNDINGS)('is found wherever it is split, and nothing of it is passed on: %j … %j', (before, after) => {
    const whole = Buffer.from(before + form(TOKEN) + after)
    const end = Buffer.byteLength(before + form(TOKEN))
    for (let cut = 0; cut <= whole.length; cut += 1) {
      const { found, passed } = scan([whole.subarray(0, cut), whole.subarray(cut)])
      // Of the text that is encoded with it, what is in front of it may pass.
      const kept = end - passed
      expect([
        cut,
        found,
        cut >= end || cut <= before.length || kept >= 64 * Math.min(1, (cut - before.length) / 64),
      ]).toEqual([cut, true, true])
    }
    const bytes = Array.from(whole, (byte) => Uint8Array.of(byte))
    expect(scan(bytes).found).toBe(true)
  })

  test('with one wrong character is none', () => {
    expect(holdsToken(form(`${TOKEN.slice(0, -1)}.`))).toBe(false)
    expect(holdsToken(form(TOKEN.replace('1', '2')))).toBe(false)
  })
})

test('[settings-leak] every token of ours is found', () => {
  for (const type of ['l', 's', 't', 'r', 'd'] satisfies TokenType[]) {
    for (let partition = 0; partition < 16; partition += 1) {
      expect(holdsToken(mintToken(type, mintTag(partition)).text)).toBe(true)
    }
  }
})

test('[settings-leak] what looks like the beginning of a token twice is read as both', () => {
  const inner = `l1.0${'A'.repeat(16)}.${'B'.repeat(43)}`
  expect(holdsToken(`s1.0${'A'.repeat(14)}${inner}`)).toBe(true)
  expect(holdsToken(`${'l1.'.repeat(50)}0${'A'.repeat(16)}.${'B'.repeat(43)}`)).toBe(true)
  expect(holdsToken(inner.repeat(2).slice(10))).toBe(true)
})

test('[settings-leak] base64 in lines is found wherever in a line the token begins', () => {
  for (let offset = 0; offset < 57; offset += 1) {
    const text = Buffer.from(`${'a'.repeat(offset)}${TOKEN}`).toString('base64')
    for (const end of ['\n', '\r\n']) {
      const bytes = Buffer.from(text.replace(/.{76}/g, `$&${end}`))
      expect([offset, scan([bytes]).found]).toEqual([offset, true])
      // Beyond the two bytes that every link begins with, nothing of it passes.
      const { found, passed } = scan(Array.from(bytes, (byte) => Uint8Array.of(byte)))
      expect([offset, found, bytes.length - passed > 80]).toEqual([offset, true, true])
    }
  }
})

test('[settings-leak] texts without a token pass, and no more is held than one token in its longest form', () => {
  const text = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 300 }),
    fc.base64String({ maxLength: 300 }),
    fc.json({ maxDepth: 3 }),
    fc.string({ unit: fc.constantFrom(...'l1.0A\\u%2&#x;bDE'), maxLength: 300 }),
  )
  fc.assert(
    fc.property(fc.array(text, { maxLength: 4 }), (pieces) => {
      const { found } = scan(pieces.map((piece) => Buffer.from(piece)))
      expect(found).toBe(false)
    }),
    { numRuns: 300 },
  )
  for (const endless of [
    '\\',
    '&#000',
    '%25',
    '\\u0026#37;',
    'l1.0',
    'l1.0AAAA',
    'bDEuMEFB',
    '\n',
    '&amp;',
    'l\\',
    'bDEuMEFB\n\n',
  ]) {
    const scanner = new TokenScanner()
    const bytes = Buffer.from(endless.repeat(Math.ceil(100_000 / endless.length)))
    expect(scanner.feed(bytes)).toBe(false)
    expect(scanner.position - scanner.keepFrom()).toBeLessThan(300)
  }
})

test('[settings-leak] the end of an event, a line of JSON and a sentence are held by nobody', () => {
  for (const text of [
    'data: {"a":1}\n\n',
    ': ping\n\n',
    '{"url":"https://example.com"}\n',
    'The end.',
    'data: all\n\n',
    'data: cool bDE\n\n',
  ]) {
    const scanner = new TokenScanner()
    scanner.feed(Buffer.from(text))
    expect([text, scanner.position - scanner.keepFrom()]).toEqual([text, 0])
  }
})

/** In pieces so small that a token is held through many of them. */
function inPieces(text: string): void {
  const bytes = Buffer.from(text)
  const scanner = new TokenScanner()
  for (let at = 0; at < bytes.length; at += 64) {
    scanner.feed(bytes.subarray(at, at + 64))
    scanner.keepFrom()
  }
}

test.each(
  parsersOf([
    ['a text', holdsToken, [(run) => `${TOKEN.slice(0, 40)}${run}`]],
    ['a text in pieces', inPieces],
  ]),
)('[settings-linear-time] $name is searched for tokens in linear time', ({ parse, frames }) => {
  expectLinearTime(parse, frames, ['ab', '\\u0026', 'l1.0'])
})
