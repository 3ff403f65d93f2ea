import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from '@jest/globals'
import { readSource } from '../structure/source.js'
import { root } from '../structure/workspace.js'
import { type Page, readPages } from './markdown.js'

const LIST = 'docs/security/promises.md'

/** Where bold text is a promise. Errors have three fixed headings, and the page of figures is written by the bench. */
const PROMISES = /^(README|SECURITY|packages\/[^/]+\/README|docs\/(?!decisions\/|errors\/|performance).+)\.md$/

interface Row {
  readonly promise: string
  readonly limits: string
  readonly tests: readonly { readonly path: string; readonly title: string }[]
}

/** The bold texts of a page, each on one line; fenced code is left out. */
function boldOf({ text }: Page): string[] {
  const prose = text.replace(/^\s*```[\s\S]*?^\s*```/gm, '')
  const bold = prose.matchAll(/\*\*(?=\S)([\s\S]+?)\*\*|(?<![\w`])__(?=\S)([^\n]+?)__(?!\w)/g)
  return Array.from(bold, ([, stars, lines]) => (stars ?? lines ?? '').replace(/\s+/g, ' ').trim())
}

/** The rows of the page of promises. */
function rowsOf({ text }: Page): Row[] {
  const lines = text.split('\n').filter((line) => line.startsWith('| ') && !line.startsWith('| promise |'))
  return lines.map((line) => {
    const [promise = '', limits = '', proof = ''] = line.slice(2, -2).split(' | ')
    const tests = proof.split('; `').map((one) => /^`?([^`]+)`: "(.+)"$/.exec(one))
    return { promise, limits, tests: tests.map((match) => ({ path: match?.[1] ?? proof, title: match?.[2] ?? '' })) }
  })
}

/** The bold texts without a row, and the rows whose promise is in no page. */
function mismatches(pages: readonly Page[], rows: readonly Row[]): string[] {
  const listed = new Set(rows.map(({ promise }) => promise))
  const promised = pages
    .filter(({ path }) => path !== LIST && PROMISES.test(path))
    .flatMap((page) => boldOf(page).map((promise) => ({ path: page.path, promise })))
  const made = new Set(promised.map(({ promise }) => promise))
  return [
    ...promised
      .filter(({ promise }) => !listed.has(promise))
      .map(({ path, promise }) => `${path}: "${promise}" has no row in ${LIST}; what is no promise is italic`),
    ...[...listed].filter((promise) => !made.has(promise)).map((promise) => `"${promise}" is bold in no page`),
  ]
}

/** What is wrong with a row's tests. */
function complaintsOf({ promise, limits, tests }: Row): string[] {
  const complaints = limits.trim() === '' ? [`"${promise}" has no limits`] : []
  for (const { path, title } of tests) {
    if (!/\/test\/.+\.test\.ts$|^test\/.+\.test\.ts$/.test(path) || !existsSync(join(root, path))) {
      complaints.push(`"${promise}": ${path} is no test file`)
      continue
    }
    const { titles } = readSource({ path, text: readFileSync(join(root, path), 'utf8') })
    if (title.length < 15 || !titles.some((one) => one.includes(title))) {
      complaints.push(`"${promise}": no test of ${path} has "${title}" in its title`)
    }
  }
  return complaints
}

const pages = readPages()
const rows = rowsOf(pages.find(({ path }) => path === LIST) as Page)

test('every bold sentence has a row among the promises, and every row is promised in bold', () => {
  expect(rows.length).toBeGreaterThan(30)
  expect(mismatches(pages, rows)).toEqual([])
})

test('every promise has its limits, and tests that exist', () => {
  expect(rows.flatMap(complaintsOf)).toEqual([])
})

test('a promise without a row, a row without a promise, and a row without a test are found', () => {
  const page = {
    path: 'README.md',
    text: 'a **promise that is\n  bold**, *stress*, __another__\n```sh\na **b**\n```\n',
  }
  const row = { promise: 'promise that is bold', limits: 'a few', tests: [{ path: 'README.md', title: 'a b' }] }
  expect(mismatches([page], [row])).toEqual([
    `README.md: "another" has no row in ${LIST}; what is no promise is italic`,
  ])
  expect(mismatches([{ ...page, path: 'docs/errors/A.md' }], [row])).toEqual([
    '"promise that is bold" is bold in no page',
  ])
  expect(complaintsOf(row)).toEqual(['"promise that is bold": README.md is no test file'])
  const own = { path: 'test/docs/promises.test.ts', title: 'every bold sentence of no test' }
  expect(complaintsOf({ ...row, limits: '', tests: [own] })).toEqual([
    '"promise that is bold" has no limits',
    `"promise that is bold": no test of ${own.path} has "${own.title}" in its title`,
  ])
})
