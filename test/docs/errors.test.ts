import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from '@jest/globals'
import { readPackages, root } from '../structure/workspace.js'

const pages = join(root, 'docs/errors')

/** Names of environment variables are written as codes of warnings are. */
const VARIABLES = /^COUNTERSIGN_(HMAC_.*|TOKEN(_FILE)?|AUDIT_JSONL|REDIS_NAMESPACE)$/

/** The codes that stand in the packages' sources as texts of their own. */
const codes = readPackages()
  .flatMap(({ sources }) => sources)
  .filter(({ path }) => path.includes('/src/'))
  .flatMap(({ text }) =>
    Array.from(text.matchAll(/'((?:ERR_)?COUNTERSIGN_[A-Z0-9_]*[A-Z0-9])'/g), ([, code = '']) => code),
  )
const kinds = [
  ['warning', ['COUNTERSIGN_INTERNAL_ERROR', 'COUNTERSIGN_OAUTH_CLOCK']],
  ['error', ['ERR_COUNTERSIGN_OPTION_INVALID', 'ERR_COUNTERSIGN_BODY_END_UNKNOWN']],
] as const

describe.each(kinds)('every %s', (kind, some) => {
  const isOfKind = (code: string) => code.startsWith('ERR_') === (kind === 'error')
  const own = [...new Set(codes)].filter((code) => isOfKind(code) && !VARIABLES.test(code)).sort()

  test('has its page, and every page is of one', () => {
    expect(own).toEqual(expect.arrayContaining([...some]))
    const files = readdirSync(pages).filter((name) => !['README.md', 'reasons.md'].includes(name) && isOfKind(name))
    expect(files.sort()).toEqual(own.map((code) => `${code}.md`))
  })

  test('has its code as the title of its page, which says what happened, why it matters and what to do', () => {
    for (const code of own) {
      const text = readFileSync(join(pages, `${code}.md`), 'utf8')
      expect(text).toMatch(/^# `\w+`\n\n[`\w][\s\S]*\n\n\*\*Why it matters:\*\* \S[\s\S]*\n\n\*\*What to do:\*\* \S/)
      expect(text.split('\n')[0]).toBe(`# \`${code}\``)
    }
  })

  test('is once in the list of the page', () => {
    const list = readFileSync(join(pages, 'README.md'), 'utf8')
    const listed = Array.from(list.matchAll(/^\| \[`(\w+)`\]\(\1\.md\) \| \S/gm), ([, code = '']) => code)
    expect(listed.filter(isOfKind)).toEqual(own)
  })
})
