import { expect, test } from '@jest/globals'
import { readRequirements } from '../requirements.js'
import { type Page, readPages } from './markdown.js'

const PAGES = ['docs/security/asvs.md', 'docs/security/dpop.md', 'docs/security/mcp-authorization.md']

/** The last cell of each row, with the line that it is on. */
function proofsOf({ path, text }: Page): { readonly at: string; readonly row: string; readonly ids: string[] }[] {
  return text.split('\n').flatMap((line, index) => {
    if (!line.startsWith('| ') || line.startsWith('| |') || line.startsWith('| requirement |')) return []
    const cells = line.slice(1, -1).split(' | ')
    const ids = Array.from((cells.at(-1) ?? '').matchAll(/`([^`]+)`/g), ([, id = '']) => id)
    return [{ at: `${path}:${index + 1}`, row: line, ids }]
  })
}

/** Ids that no package requires, and rows of the pages on MCP and DPoP that neither name a test nor say that they are another's. */
function complaintsOf(pages: readonly Page[], known: ReadonlySet<string>): string[] {
  return pages
    .flatMap(proofsOf)
    .flatMap(({ at, row, ids }) => [
      ...ids.filter((id) => !known.has(id)).map((id) => `${at}: ${id} is no requirement`),
      ...(ids.length === 0 && /mcp-|dpop/.test(at) && !/not here/i.test(row) ? [`${at}: names no test`] : []),
    ])
}

test('each row of the pages about standards names ids that tests cite', async () => {
  const lists = await readRequirements()
  const pages = readPages().filter(({ path }) => PAGES.includes(path))
  expect(pages).toHaveLength(3)
  expect(pages.flatMap(proofsOf).length).toBeGreaterThan(80)
  expect(complaintsOf(pages, new Set(Object.values(lists).flatMap(Object.keys)))).toEqual([])
})

test('an unknown id, and a row without one, are found', () => {
  const text =
    '| requirement | we | test |\n|---|---|---|\n| a | b | `known`, `other` |\n| a | b | |\n| a | not here | |\n'
  expect(complaintsOf([{ path: 'mcp-page.md', text }], new Set(['known']))).toEqual([
    'mcp-page.md:3: other is no requirement',
    'mcp-page.md:4: names no test',
  ])
})
