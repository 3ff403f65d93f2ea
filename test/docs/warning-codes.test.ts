import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from '@jest/globals'
import { root } from '../structure/workspace.js'

const pages = join(root, 'docs/errors')

function sourcesBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => readFileSync(join(folder, name), 'utf8'))
}

/** The codes of warnings that stand in the packages' sources as texts of their own. */
function codesInSources(): string[] {
  const sources = readdirSync(join(root, 'packages')).flatMap((name) =>
    sourcesBelow(join(root, 'packages', name, 'src')),
  )
  const codes = sources.flatMap((source) =>
    Array.from(source.matchAll(/'(COUNTERSIGN_[A-Z_]*[A-Z])'/g), ([, code]) => code ?? ''),
  )
  // Names of environment variables are written in the same way.
  return [...new Set(codes)].filter((code) => !VARIABLES.test(code)).sort()
}

const VARIABLES = /^COUNTERSIGN_(HMAC_.*|TOKEN(_FILE)?|AUDIT_JSONL|REDIS_NAMESPACE)$/

test('every warning has its page, and every page its warning', () => {
  const codes = codesInSources()
  expect(codes).toEqual(expect.arrayContaining(['COUNTERSIGN_INTERNAL_ERROR', 'COUNTERSIGN_OAUTH_CLOCK']))
  const files = readdirSync(pages).filter((name) => name.startsWith('COUNTERSIGN_'))
  expect(files.sort()).toEqual(codes.map((code) => `${code}.md`).sort())
})

test('every page has its code as its title, and says why it matters and what to do', () => {
  for (const code of codesInSources()) {
    const text = readFileSync(join(pages, `${code}.md`), 'utf8')
    expect(text.split('\n')[0]).toBe(`# \`${code}\``)
    expect(text).toContain('**Why it matters:**')
    expect(text).toContain('**What to do:**')
  }
})

test('the list of warnings has each of them once', () => {
  const list = readFileSync(join(pages, 'README.md'), 'utf8')
  const listed = Array.from(list.matchAll(/^\| \[`(\w+)`\]\(\1\.md\) \|/gm), ([, code]) => code)
  expect(listed).toEqual(codesInSources())
})
