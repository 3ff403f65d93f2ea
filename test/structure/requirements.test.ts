import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from '@jest/globals'
import { readRequirements } from '../requirements.js'
import { checkCitations } from './citations.js'
import { root, sourcesBelow } from './workspace.js'

test('every requirement is cited by a test, and every citation is a requirement', async () => {
  const lists = await readRequirements()
  expect(Object.keys(lists).sort()).toEqual(readdirSync(join(root, 'packages')).sort())
  const folders = [...Object.keys(lists).map((folder) => `packages/${folder}/test`), 'test']
  expect(
    checkCitations(
      lists,
      folders.flatMap((folder) => sourcesBelow(folder)),
    ),
  ).toEqual([])
})

const titled = (...titles: string[]) => [
  { path: 'a.test.ts', text: titles.map((title) => `test(${JSON.stringify(title)}, () => {})`).join('\n') },
]

test('a requirement that no title cites is found', () => {
  const lists = { hmac: { 'hmac-window': ['the window', ''], 'hmac-once': ['once', ''] } } as const
  expect(checkCitations(lists, titled('[hmac-window] holds', 'nothing'))).toEqual(['hmac: no test cites [hmac-once]'])
  expect(checkCitations(lists, titled('[hmac-window] [hmac-once] hold'))).toEqual([])
})

test('a citation in a comment or in a body is none', () => {
  const lists = { hmac: { 'hmac-once': ['once', ''] } } as const
  const files = [{ path: 'a.test.ts', text: "// [hmac-once]\ntest('holds', () => { say('[hmac-once]') })" }]
  expect(checkCitations(lists, files)).toEqual(['hmac: no test cites [hmac-once]'])
})

test('titles of describe, it, test.each and templates are read', () => {
  const lists = { hmac: { a1: ['a', ''], b1: ['b', ''], c1: ['c', ''], d1: ['d', ''] } } as const
  const text =
    "describe('[a1] a', () => { it('[b1] b', () => {}) })\ntest.each([1])('[c1] %s', () => {})\ntest(`[d1] a template`, () => {})"
  expect(checkCitations(lists, [{ path: 'a.test.ts', text }])).toEqual([])
})

test('a row of a table is a title when the title starts with it', () => {
  const lists = { hmac: { a1: ['a', ''], b1: ['b', ''] } } as const
  const rows = "[['[a1] holds', 1], ['[b1] holds', 2]]"
  const check = (title: string) =>
    checkCitations(lists, [{ path: 'a.test.ts', text: `test.each(${rows})('${title}', () => {})` }])
  expect(check('%s')).toEqual([])
  expect(check('a title with %s')).toEqual(['hmac: no test cites [a1]', 'hmac: no test cites [b1]'])
})

test('a citation of what is not a requirement is found, other brackets are not', () => {
  expect(checkCitations({ hmac: {} }, titled('[hmac-onec] holds', 'an array [1] is refused'))).toEqual([
    'a.test.ts cites [hmac-onec], which is not a requirement',
  ])
})

test('an id of two packages, and an id without words, are found', () => {
  const lists = { hmac: { 'the-id': ['one', ''] }, core: { 'the-id': [' ', ''] } } as const
  expect(checkCitations(lists, titled('[the-id] holds'))).toEqual([
    'the-id is a requirement of both hmac and core',
    'core: the-id does not say what it demands',
  ])
})
