import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, expect, test } from '@jest/globals'
import { root } from '../structure/workspace.js'
import { askPlatforms, PAGE, type Row, withTable } from './platforms/matrix.js'

let rows: Row[]
beforeAll(() => {
  rows = askPlatforms()
}, 300_000)

test('on every platform the good are let in, and the bad, the doubled and the missing are refused', () => {
  expect(rows.length).toBe(14)
  for (const [name, cells] of rows) {
    for (const [gate, { good, bad, doubled, missing }] of Object.entries(cells)) {
      const where = `${name}, ${gate}`
      expect([where, good]).toEqual([where, '200'])
      expect([where, bad]).toEqual([where, expect.stringMatching(/^40[13] `(?!missing)\w+`$/)])
      // Of two lines in an event v1, serverless-http hands over the last one alone.
      const isUnseen = name === 'serverless-http, event v1' && good !== bad && doubled === '200'
      if (!isUnseen) expect([where, doubled]).toEqual([where, expect.stringMatching(/^40[01] `(?!missing)\w+`$/)])
      expect([where, missing]).toEqual([where, '401 `missing`'])
    }
  }
})

test('the page has the answers of this run: "npm run platforms:update" writes them', () => {
  const page = readFileSync(join(root, PAGE), 'utf8')
  expect(page).toBe(withTable(page, rows))
})
