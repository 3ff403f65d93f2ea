import { spawnSync } from 'node:child_process'
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from '@jest/globals'
import { root } from '../structure/workspace.js'
import { type Fence, fencesOf, readPages } from './markdown.js'
import { complaintsOf, isWhole, RUN_ELSEWHERE, scriptsOf } from './programs.js'

/** Of blocks of code. A tree of files, a log or a page of plain text is text. */
const LANGUAGES = [
  'ts',
  'js',
  'sh',
  'json',
  'http',
  'text',
  'sql',
  'yaml',
  'html',
  'toml',
  'ini',
  'nginx',
  'python',
  'dockerfile',
]

/** Compiles each example as a module of its own, strictly, against what is built; returns the compiler's complaints by page and line. */
function compile(examples: readonly Fence[]): string[] {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-docs-'))
  try {
    symlinkSync(join(root, 'test', 'node_modules'), join(folder, 'node_modules'))
    cpSync(join(root, 'test', 'docs', 'ambient.d.ts'), join(folder, 'ambient.d.ts'))
    examples.forEach(({ code }, index) => {
      writeFileSync(join(folder, `example-${index}.ts`), `${code}\nexport {}\n`)
    })
    writeFileSync(join(folder, 'package.json'), '{ "type": "module" }')
    const compilerOptions = {
      module: 'nodenext',
      target: 'es2023',
      lib: ['es2024', 'dom'],
      typeRoots: [join(root, 'node_modules/@types')],
      types: ['node'],
      strict: true,
      noEmit: true,
      skipLibCheck: true,
      preserveSymlinks: false,
    }
    writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, include: ['*.ts'] }))
    const compiler = join(root, 'node_modules/typescript/bin/tsc')
    const done = spawnSync(process.execPath, [compiler, '-p', folder, '--pretty', 'false'], {
      cwd: folder,
      encoding: 'utf8',
    })
    if (done.status === 0) return []
    return done.stdout
      .trim()
      .split('\n')
      .map((line) =>
        line.replace(/^example-(\d+)\.ts\((\d+),(\d+)\)/, (_all, index: string, row: string, column: string) => {
          const { page, line: first } = examples[Number(index)] as Fence
          return `${page}:${first + Number(row) - 1}:${column}`
        }),
      )
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

const pages = readPages()
/** Whole programs are compiled and run in test/consumers/pages.test.ts. */
const parts = scriptsOf(pages).filter((script) => !isWhole(script))

test('every part of a program that a page shows compiles', () => {
  const examples = parts.filter(({ language }) => language === 'ts')
  expect(examples.length).toBeGreaterThan(5)
  expect(compile(examples)).toEqual([])
}, 60_000)

test('every part names a program that a test runs, and uses what that has', () => {
  expect(parts.flatMap((part) => complaintsOf(part, pages))).toEqual([])
})

test('a page whose programs are run elsewhere is named by the test that does it', () => {
  for (const [page, file] of Object.entries(RUN_ELSEWHERE)) {
    expect(pages.filter(({ path }) => path.startsWith(page))).not.toEqual([])
    expect(readFileSync(join(root, file), 'utf8')).toContain(page.replace(/^docs\/|\.md$/g, ''))
  }
})

test('every block of code says its language', () => {
  const fences = pages.filter(({ path }) => !path.startsWith('docs/decisions/')).flatMap(fencesOf)
  const complaints = fences
    .filter(({ language }) => !LANGUAGES.includes(language))
    .map(({ page, line, language }) => `${page}:${line}: "${language}" is none of ${LANGUAGES.join(', ')}`)
  expect(complaints).toEqual([])
})

test('a part of nothing, and one that uses what its whole has not, are found', () => {
  const text = '```ts\nconst app = 1\n```\n```ts part of page.md\napp.use(redis)\n```\n```ts part of none.ts\n1\n```\n'
  const page = { path: 'page.md', text }
  const found = scriptsOf([page]).filter((script) => !isWhole(script))
  expect(found.flatMap((part) => complaintsOf(part, [page]))).toEqual([
    'page.md:5: page.md has no redis',
    'page.md:8: none.ts has no program that a test runs',
  ])
})

test('an example that does not compile is named by its page and line', () => {
  const page = { path: 'page.md', text: 'text\n\n```ts\nconst a = 1\nconst b: string = a\n```\n' }
  expect(compile(fencesOf(page))).toEqual([
    expect.stringMatching(/^page\.md:5:7: error TS2322: Type 'number' is not assignable to type 'string'/),
  ])
}, 60_000)
