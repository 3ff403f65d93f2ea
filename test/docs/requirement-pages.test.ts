import { expect, test } from '@jest/globals'
import { readRequirements } from '../requirements.js'
import { ASVS_SECTIONS } from './asvs-sections.js'
import { type Page, readPages } from './markdown.js'

const PAGES = /^docs\/security\/(asvs.*|dpop|mtls|mcp-authorization|threat-model)\.md$/

/** How a row says why it names no test: another party's, less than is asked for, a page, or what a reader must look at. */
const NO_TEST = /not here|not met|\bApp:|documented|\breview\b/i

/** The last cell of each row of a table whose last column is the tests. */
function proofsOf({ path, text }: Page): { readonly at: string; readonly row: string; readonly ids: string[] }[] {
  let isProof = false
  return text.split('\n').flatMap((line, index) => {
    if (/ test \|$/.test(line)) isProof = true
    else if (!line.startsWith('| ')) isProof &&= line.startsWith('|-')
    else if (isProof) {
      const cells = line.slice(1, -1).split(' | ')
      const ids = Array.from((cells.at(-1) ?? '').matchAll(/`([^`]+)`/g), ([, id = '']) => id)
      return [{ at: `${path}:${index + 1}`, row: line, ids }]
    }
    return []
  })
}

/** Ids that no package requires, and rows that neither name a test nor say why there is none. */
function complaintsOf(pages: readonly Page[], known: ReadonlySet<string>): string[] {
  return pages
    .flatMap(proofsOf)
    .flatMap(({ at, row, ids }) => [
      ...ids.filter((id) => !known.has(id)).map((id) => `${at}: ${id} is no requirement`),
      ...(ids.length === 0 && !NO_TEST.test(row) ? [`${at}: names no test`] : []),
    ])
}

/** The requirements that a text names, each number of `10.4.1 to 10.4.9` too. */
function numbersIn(text: string): Set<string> {
  const single = Array.from(text.matchAll(/\b\d+\.\d+\.\d+\b/g), ([number]) => number)
  const ranges = Array.from(text.matchAll(/\b(\d+\.\d+)\.(\d+) to \1\.(\d+)\b/g)).flatMap(
    ([, section = '', from, to]) =>
      Array.from({ length: Number(to) - Number(from) + 1 }, (_, index) => `${section}.${Number(from) + index}`),
  )
  return new Set([...single, ...ranges])
}

/** Requirements of OWASP ASVS that a page leaves out of a section, or of a chapter, that one of its headings names. */
function missingOf({ path, text }: Page): string[] {
  return text.split(/^## /m).flatMap((part) => {
    const [heading = ''] = part.split('\n', 1)
    const named = numbersIn(part)
    const names = Array.from(heading.matchAll(/\bV(\d+(?:\.\d+)?)/g), ([, name = '']) => name)
    return names.flatMap((name) => {
      const sections = Object.keys(ASVS_SECTIONS).filter(
        (section) => section === name || section.startsWith(`${name}.`),
      )
      if (sections.length === 0) return [`${path}: V${name} is unknown`]
      return sections
        .flatMap((section) =>
          Array.from({ length: ASVS_SECTIONS[section] ?? 0 }, (_, index) => `${section}.${index + 1}`),
        )
        .filter((number) => !named.has(number))
        .map((number) => `${path}: ${number} is missing`)
    })
  })
}

test('each row of the pages about standards names ids that tests cite', async () => {
  const lists = await readRequirements()
  const pages = readPages().filter(({ path }) => PAGES.test(path))
  expect(pages).toHaveLength(9)
  expect(pages.flatMap(proofsOf).length).toBeGreaterThan(300)
  expect(complaintsOf(pages, new Set(Object.values(lists).flatMap(Object.keys)))).toEqual([])
})

test('each section of OWASP ASVS that a page goes through is there whole', () => {
  const pages = readPages().filter(({ path }) => path.startsWith('docs/security/asvs'))
  expect(pages.flatMap(({ text }) => [...numbersIn(text)]).length).toBeGreaterThan(250)
  expect(pages.flatMap(missingOf)).toEqual([])
})

test('an unknown id, and a row without one, are found', () => {
  const text =
    '| code | what |\n|---|---|\n| a | b |\n\n| requirement | we | test |\n|---|---|---|\n| a | b | `known`, `other` |\n| a | b | |\n| a | not here | |\n'
  expect(complaintsOf([{ path: 'page.md', text }], new Set(['known']))).toEqual([
    'page.md:7: other is no requirement',
    'page.md:8: names no test',
  ])
})

test('a requirement that a section leaves out is found', () => {
  const text =
    '# ASVS\n\n## V7.2 Fundamentals\n\n7.2.1 to 7.2.3\n\n## V12 Communication\n\n12.1.1 to 12.1.5, 12.2.2, 12.3.1 to 12.3.5\n'
  expect(missingOf({ path: 'page.md', text })).toEqual(['page.md: 7.2.4 is missing', 'page.md: 12.2.1 is missing'])
  expect(missingOf({ path: 'page.md', text: '## V99 Nothing\n' })).toEqual(['page.md: V99 is unknown'])
})
