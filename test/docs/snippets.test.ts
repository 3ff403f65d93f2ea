import { spawnSync } from 'node:child_process'
import { cpSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from '@jest/globals'
import { root } from '../structure/workspace.js'
import { type Fence, fencesOf, readPages } from './markdown.js'

const LANGUAGES = ['ts', 'typescript']

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

test('every TypeScript example of every page compiles', () => {
  const examples = readPages()
    .flatMap(fencesOf)
    .filter(({ language }) => LANGUAGES.includes(language))
    // The page about Nest has the code of an app, and these pages programs with packages that are not here: test/consumers
    // compiles and runs them.
    .filter(({ page }) => !/^docs\/(guides\/nestjs\.md|migration\/|recipes\/chats\/)/.test(page))
  expect(examples.length).toBeGreaterThan(5)
  expect(compile(examples)).toEqual([])
}, 60_000)

test('an example that does not compile is named by its page and line', () => {
  const page = { path: 'page.md', text: 'text\n\n```ts\nconst a = 1\nconst b: string = a\n```\n' }
  expect(compile(fencesOf(page))).toEqual([
    expect.stringMatching(/^page\.md:5:7: error TS2322: Type 'number' is not assignable to type 'string'/),
  ])
}, 60_000)
