import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { expect, test } from '@jest/globals'
import { root } from '../structure/workspace.js'
import { countMainNames, namesWithTwoHomes, readReport, readReports } from './report.js'

const MOST_NAMES = 220

test('the committed reports say what the entries of the published packages export', () => {
  const extract = join(root, 'test', 'api', 'extract.mjs')
  const done = spawnSync(process.execPath, [extract], { encoding: 'utf8', env: { ...process.env, NODE_OPTIONS: '' } })
  expect(done.stdout + done.stderr).toBe('')
  expect(done.status).toBe(0)
}, 120_000)

test('the main entries export at most 220 names', () => {
  const counts = countMainNames(readReports())
  const total = Object.values(counts).reduce((sum, count) => sum + count, 0)
  expect(Object.keys(counts)).toContain('core')
  expect({ counts, total, within: total <= MOST_NAMES }).toEqual({ counts, total, within: true })
})

test('an exported name has one home across the public entries', () => {
  expect(namesWithTwoHomes(readReports())).toEqual([])
})

test('a report is read: what an entry declares, and what it hands on from another package', () => {
  const report = readReport(
    'hmac',
    `import { principalOf } from '@countersign/core'
import { Readable } from 'node:stream'

// @public
export function requireHmac(options: HmacOptions): Gate

// @public
export interface HmacOptions {}

// @public
export const reasons: readonly string[]

export { principalOf }
export { Readable }
`,
  )
  expect(report.declared).toEqual(['requireHmac', 'HmacOptions', 'reasons', 'Readable'])
  expect(report.handedOn).toEqual(['principalOf'])
})

test('a second home is found, a name that is handed on has none', () => {
  const one = { entry: 'hmac', declared: ['a', 'b'], handedOn: ['c'] }
  const other = { entry: 'hmac.redis', declared: ['b', 'c'], handedOn: [] }
  expect(namesWithTwoHomes([one, other])).toEqual(['b: hmac, hmac.redis'])
})
