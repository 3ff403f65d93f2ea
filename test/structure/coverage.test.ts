import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { coverageLines, summariseCoverage } from '../support/coverage.mjs'

let root: string
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'countersign-coverage-'))
})
afterAll(() => rmSync(root, { recursive: true, force: true }))

const count = (covered: number, total: number) => ({ covered, total })
const source = (path: string) => join(root, 'packages', path)

test('the coverage of a package is the sum of its sources, and rounded down', () => {
  const summary = {
    total: { lines: count(0, 0), branches: count(0, 0) },
    [source('hmac/src/verify.ts')]: { lines: count(99, 100), branches: count(1, 3) },
    [source('hmac/src/store/memory.ts')]: { lines: count(100, 100), branches: count(1, 1) },
    [source('core/src/index.ts')]: { lines: count(1_999, 2_000), branches: count(0, 0) },
    [join(root, 'test/support/wire.ts')]: { lines: count(0, 100), branches: count(0, 1) },
  }
  expect(summariseCoverage(summary, root)).toEqual([
    { name: 'core', lines: 99.9, branches: 100 },
    { name: 'hmac', lines: 99.5, branches: 50 },
  ])
})

test('a file of types alone counts for nothing, one that no test loads counts in full', () => {
  const dist = source('core/dist')
  mkdirSync(dist, { recursive: true })
  writeFileSync(join(dist, 'types.js'), '/** Types. */\n// Alone.\nexport {};\n')
  writeFileSync(join(dist, 'code.js'), 'export const a = 1;\nexport {};\n')
  const unseen = { lines: count(0, 10), branches: count(0, 1) }
  const types = summariseCoverage({ [source('core/src/types.ts')]: unseen }, root)
  expect(types).toEqual([])
  expect(summariseCoverage({ [source('core/src/code.ts')]: unseen }, root)).toEqual([
    { name: 'core', lines: 0, branches: 0 },
  ])
})

test('the coverage is printed in one line a package', () => {
  expect(coverageLines([{ name: 'core', lines: 100, branches: 97.25 }])).toEqual([
    '  core              100.0 % of lines   97.3 % of branches',
  ])
})
