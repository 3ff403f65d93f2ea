import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from '@jest/globals'
import { readPackages, root } from '../structure/workspace.js'

const pages = join(root, 'docs/errors')

/** The codes of errors that stand in the packages' sources. */
function errorCodes(): string[] {
  const codes = readPackages()
    .flatMap(({ sources }) => sources)
    .filter(({ path }) => path.includes('/src/'))
    .flatMap(({ text }) => Array.from(text.matchAll(/\bERR_COUNTERSIGN_[A-Z0-9_]*[A-Z0-9]\b/g), ([code]) => code))
  return [...new Set(codes)].sort()
}

test('every code of an error has its page, and every page its code', () => {
  const codes = errorCodes()
  expect(codes).toEqual(expect.arrayContaining(['ERR_COUNTERSIGN_OPTION_INVALID', 'ERR_COUNTERSIGN_BODY_END_UNKNOWN']))
  const files = existsSync(pages) ? readdirSync(pages).filter((name) => name.startsWith('ERR_')) : []
  expect(files.sort()).toEqual(codes.map((code) => `${code}.md`))
})

test.each(errorCodes())('the page of %s says what happened, why it matters and what to do', (code) => {
  const text = readFileSync(join(pages, `${code}.md`), 'utf8')
  expect(text).toMatch(
    new RegExp(`^# \`${code}\`\n\n\\S[^]+\n\n\\*\\*Why it matters:\\*\\* \\S[^]+\n\n\\*\\*What to do:\\*\\* \\S`),
  )
})
