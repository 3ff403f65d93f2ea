import { existsSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { expect, test } from '@jest/globals'
import { root } from '../structure/workspace.js'
import { anchorsOf, linksOf, type Page, readPages } from './markdown.js'

/** What is wrong with a link between the project's own pages, or nothing. */
function complaintOf(page: Page, target: string, pages: readonly Page[]): string | undefined {
  if (/^(https?|mailto):/.test(target)) return undefined
  const [path = '', anchor] = target.split('#')
  const absolute = path === '' ? page.path : normalize(join(dirname(page.path), path))
  if (!existsSync(join(root, absolute))) return 'leads nowhere'
  if (anchor === undefined) return undefined
  const found = pages.find((other) => other.path === absolute)
  return found !== undefined && anchorsOf(found).has(anchor) ? undefined : 'names no heading'
}

test('every link from one page to another leads somewhere', () => {
  const pages = readPages()
  const complaints = pages.flatMap((page) =>
    linksOf(page).flatMap(({ target, line }) => {
      const complaint = complaintOf(page, target, pages)
      return complaint === undefined ? [] : [`${page.path}:${line}: ${target} ${complaint}`]
    }),
  )
  expect(complaints).toEqual([])
})

test('a link to a missing page, and one to a missing heading, are found', () => {
  const page = { path: 'README.md', text: '# One thing: `a`\n' }
  expect(complaintOf(page, 'nowhere.md', [page])).toBe('leads nowhere')
  expect(complaintOf(page, '#two', [page])).toBe('names no heading')
  expect(complaintOf(page, '#one-thing-a', [page])).toBeUndefined()
})
