import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from '@jest/globals'
import { addCounts, countByFile, scoreOf, table } from '../mutation/score.mjs'
import { TARGETS } from '../mutation/targets.mjs'
import { root } from './workspace.js'

test('every source and every test of `npm run mutation` is there, and no source is measured twice', () => {
  for (const [name, parts] of Object.entries(TARGETS)) {
    const sources = parts.flatMap((part) => part.sources.map((source) => `packages/${name}/src/${source}.ts`))
    const tests = parts.flatMap((part) => part.tests.map((one) => `packages/${name}/test/${one}.test.ts`))
    expect([...sources, ...tests].filter((file) => !existsSync(join(root, file)))).toEqual([])
    expect(sources.length).toBe(new Set(sources).size)
  }
})

test('the packages of `npm run mutation` are run each night', () => {
  const workflow = readFileSync(join(root, '.github/workflows/mutation.yml'), 'utf8')
  expect(/package: \[(.*)\]/.exec(workflow)?.[1]?.split(', ')).toEqual(Object.keys(TARGETS))
})

test('a mutation score is the share of mutants that a test noticed, a hang being noticed, and no test being none', () => {
  const mutants = ['Killed', 'Timeout', 'Survived', 'NoCoverage', 'RuntimeError', 'Ignored', 'Killed']
  const files = countByFile(mutants.map((status, at) => ({ fileName: at < 4 ? 'a.ts' : 'bb.ts', status })))
  expect([...files]).toEqual([
    ['a.ts', { noticed: 2, unnoticed: 2 }],
    ['bb.ts', { noticed: 1, unnoticed: 0 }],
  ])
  const total = addCounts([...files.values()])
  expect(total).toEqual({ noticed: 3, unnoticed: 2 })
  expect(scoreOf(total)).toBe(60)
  expect(scoreOf({ noticed: 0, unnoticed: 0 })).toBe(100)
  expect(table([...files, ['all', total]])).toBe(
    'a.ts    50.0 %  2 of 4\nbb.ts  100.0 %  1 of 1\nall     60.0 %  3 of 5',
  )
})
