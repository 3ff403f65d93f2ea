import { expect, test } from '@jest/globals'
import { namesWithTwoHomes, undocumented } from './exports.js'
import { readPackages } from './workspace.js'

test('every exported symbol has a docstring', () => {
  expect(readPackages().flatMap(({ sources }) => undocumented(sources))).toEqual([])
})

test('an exported name has one home within its package', () => {
  expect(readPackages().flatMap(({ sources }) => namesWithTwoHomes(sources))).toEqual([])
})

test('a symbol without a docstring is found, whatever kind of symbol it is', () => {
  const kinds = ['function f() {}', 'async function g() {}', 'abstract class H {}', 'const i = 1', 'let j = 1']
  const types = ['interface K {}', 'type L = 1', 'enum M {}', 'declare const n: 1']
  const lines = [...kinds, ...types].map((declaration) => `export ${declaration}`)
  const names = (text: string) => undocumented([{ path: 'a.ts', text }]).map((complaint) => complaint.split(' ')[1])
  expect(names(lines.join('\n'))).toEqual(['f', 'g', 'H', 'i', 'j', 'K', 'L', 'M', 'n'])
  expect(names(lines.map((line) => `/** What it is. */\n${line}`).join('\n'))).toEqual([])
  expect(names(lines.map((line) => `// What it is.\n${line}`).join('\n'))).toHaveLength(9)
})

test('the overloads of a function share the docstring of the first one', () => {
  const overloads = 'export function f(a: string): string\nexport function f(a: number): number\n'
  expect(undocumented([{ path: 'a.ts', text: `/** Gives it back. */\n${overloads}` }])).toEqual([])
  expect(undocumented([{ path: 'a.ts', text: overloads }])).toEqual(['a.ts:1 f'])
})

test('a name that two files of a package declare is found', () => {
  const a = { path: 'a.ts', text: 'export const same = 1\nexport const own = 1\n' }
  const b = { path: 'b.ts', text: "export type same = 2\nexport { own } from './a.js'\n" }
  expect(namesWithTwoHomes([a, b])).toEqual(['same: a.ts, b.ts'])
})
