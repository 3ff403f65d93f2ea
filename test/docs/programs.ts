import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { root } from '../structure/workspace.js'
import { type Fence, fencesOf, type Page } from './markdown.js'

const SCRIPTS = ['ts', 'js']

/** Files that are whole programs, and that a test starts. */
const STARTED =
  /^(docs\/examples|test\/consumers\/projects|packages\/oauth-bearer\/test|test\/integration)\/.+\.m?[jt]s$/

/** Pages, and folders of pages, whose programs need more than an app has: by the test that compiles and runs them. */
export const RUN_ELSEWHERE: Readonly<Record<string, string>> = {
  // Their programs are files of docs/examples.
  'docs/guides/nestjs.md': 'test/docs/examples.test.ts',
  'docs/recipes/docker-compose.md': 'test/docs/examples.test.ts',
  'docs/recipes/express-4.md': 'test/docs/examples.test.ts',
  'docs/recipes/lambda.md': 'test/docs/examples.test.ts',
  'docs/migration/': 'test/consumers/migration.test.ts',
  'docs/recipes/chats/': 'test/consumers/migration.test.ts',
}

/** Whether another test than that of all pages runs the programs of a page, and compares what it shows. */
export const isRunElsewhere = ({ path }: Page): boolean =>
  Object.keys(RUN_ELSEWHERE).some((other) => path.startsWith(other))

/** The scripts of all pages that are no decision: whole programs, and parts of them. */
export function scriptsOf(pages: readonly Page[]): Fence[] {
  return pages
    .filter((page) => !page.path.startsWith('docs/decisions/') && !isRunElsewhere(page))
    .flatMap(fencesOf)
    .filter(({ language }) => SCRIPTS.includes(language))
}

export const isWhole = ({ partOf }: Fence): boolean => partOf === undefined

/** The program that a part names: the text of a file, or the first program of a page. Undefined when there is none. */
function wholeOf(part: Fence, pages: readonly Page[]): string | undefined {
  const path = part.partOf ?? ''
  if (path.endsWith('.md')) {
    const page = pages.find((one) => one.path === path)
    return page === undefined ? undefined : scriptsOf([page]).find(isWhole)?.code
  }
  return STARTED.test(path) && existsSync(join(root, path)) ? readFileSync(join(root, path), 'utf8') : undefined
}

/** What `test/docs/ambient.d.ts` declares, for parts alone. */
const AMBIENT = Array.from(
  readFileSync(join(root, 'test/docs/ambient.d.ts'), 'utf8').matchAll(/^ {2}const (\w+):/gm),
  ([, name = '']) => name,
)

const declares = (code: string, name: string): boolean =>
  new RegExp(
    `\\b(const|let|function|class) ${name}\\b|\\bimport [^'"]*\\b${name}\\b|[{,] ${name}\\b[^=;\\n]*\\} = `,
  ).test(code)

/** What code uses of what the examples take for granted. */
function assumed(code: string): string[] {
  const text = code.replace(/\/\/.*$/gm, '').replace(/'[^'\n]*'|`[^`]*`/g, "''")
  return AMBIENT.filter((name) => new RegExp(`(?<![.\\w])${name}\\b(?!\\??:)`).test(text) && !declares(text, name))
}

/** What is wrong with what a part says of its whole, by the part's place. */
export function complaintsOf(part: Fence, pages: readonly Page[]): string[] {
  const place = `${part.page}:${part.line}`
  const whole = wholeOf(part, pages)
  if (whole === undefined) return [`${place}: ${part.partOf} has no program that a test runs`]
  return assumed(part.code)
    .filter((name) => !declares(whole, name))
    .map((name) => `${place}: ${part.partOf} has no ${name}`)
}
