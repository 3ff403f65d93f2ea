import { expect, test } from '@jest/globals'
import { checkFiles, MOST_LINES } from './file-rules.js'
import { readPackages, sourcesBelow } from './workspace.js'

test('no source file is longer than 350 lines, writes any, or silences the compiler', () => {
  const sources = [
    ...readPackages().flatMap(({ folder }) => sourcesBelow(`packages/${folder}`)),
    ...sourcesBelow('test'),
  ]
  expect(MOST_LINES).toBe(350)
  expect(sources.length).toBeGreaterThan(50)
  expect(checkFiles(sources)).toEqual([])
})

test('a file of 351 lines is found, one of 350 is not', () => {
  const lines = (count: number) => 'export {}\n'.repeat(count)
  expect(checkFiles([{ path: 'a.ts', text: lines(350) }])).toEqual([])
  expect(checkFiles([{ path: 'a.ts', text: lines(351) }])).toEqual(['a.ts has 351 lines, the most is 350'])
})

test('the type any is found wherever it is written, the word is not', () => {
  const text = 'export const a: any = 1\nexport type B = Map<string, any[]>\nexport const c = a as any\n'
  expect(checkFiles([{ path: 'a.ts', text }])).toEqual(['a.ts writes any 3 times'])
  expect(checkFiles([{ path: 'a.ts', text: "// any\nexport const any = 'any'\n" }])).toEqual([])
})

test('a comment that silences the compiler, or Biome without a reason, is found', () => {
  const ignore = `// ${'@ts-'}ignore\nexport {}\n`
  const nocheck = `// ${'@ts-'}nocheck\nexport {}\n`
  expect(checkFiles([{ path: 'a.ts', text: ignore }])).toEqual([`a.ts says ${'@ts-'}ignore`])
  expect(checkFiles([{ path: 'a.ts', text: nocheck }])).toEqual([`a.ts says ${'@ts-'}nocheck`])
  const biome = (reason: string) => `// ${'biome-'}ignore lint/a/b${reason}\nexport {}\n`
  expect(checkFiles([{ path: 'a.ts', text: biome('') }])).toEqual(['a.ts silences Biome without a reason'])
  expect(checkFiles([{ path: 'a.ts', text: biome(':') }])).toEqual(['a.ts silences Biome without a reason'])
  expect(checkFiles([{ path: 'a.ts', text: biome(': the header is Latin-1') }])).toEqual([])
})
