import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from '@jest/globals'
import { root } from '../structure/workspace.js'

const folder = join(root, 'docs/decisions')

test('the index of decisions has one row for each, in the order of their numbers', () => {
  const files = readdirSync(folder)
    .filter((name) => /^\d{4}-/.test(name))
    .sort()
  const index = readFileSync(join(folder, 'README.md'), 'utf8')
  const rows = Array.from(index.matchAll(/^\| \[(\d{4})\]\(([^)]+)\) \|/gm), ([, number, file]) => [number, file])
  expect(rows).toEqual(files.map((file) => [file.slice(0, 4), file]))
  expect(files.length).toBeGreaterThan(50)
})
