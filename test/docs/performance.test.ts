import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from '@jest/globals'
import { oneBuild, type Result } from '../bench/report/results.js'
import { root } from '../structure/workspace.js'

const FOLDER = join(root, 'test', 'bench', 'results')
const PAGES = ['docs/performance.md', 'docs/performance-details.md', 'docs/operations/capacity.md']

test('figures of two builds are never told on one page', () => {
  const [one, other] = [
    { commit: 'aaaaaaaaaaaa', node: 'v24.0.0' },
    { commit: 'bbbbbbbbbbbb', node: 'v22.0.0' },
  ]
  expect(oneBuild([one, { ...one, node: 'v22.0.0' }])).toBe('aaaaaaaaaaaa')
  expect(() => oneBuild([one, other])).toThrow(
    'figures are kept of several: aaaaaaaaaaaa (Node v24.0.0), bbbbbbbbbbbb (Node v22.0.0)',
  )
})

test('the pages tell of the build that the kept figures are of', () => {
  const names = existsSync(FOLDER) ? readdirSync(FOLDER, { recursive: true, encoding: 'utf8' }) : []
  const files = names.filter((name) => name.endsWith('.json'))
  const kept = files.map((name) => JSON.parse(readFileSync(join(FOLDER, name), 'utf8')) as Result)
  const build = oneBuild(kept)
  const told = PAGES.map((page) => /commit `([0-9a-f]+)`/.exec(readFileSync(join(root, page), 'utf8'))?.[1])
  expect(told).toEqual(PAGES.map(() => build))
})
