import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { buildSync } from 'esbuild'
import { type Consumer, createConsumer } from '../consumer.js'
import { packAll, run } from '../tarballs.js'
import type { Cell, Cells } from './cells.js'

const here = dirname(fileURLToPath(import.meta.url))

/** The page that holds the tables, and the marks that they stand between. */
export const PAGE = 'docs/platforms.md'
const BEGIN = '<!-- Made by test/consumers/platforms.test.ts; npm run platforms:update writes it. -->'
const END = '<!-- The end of what is made. -->'

const BUN = 'bun@1.4.5'
const DENO = 'deno@2.9.6'

/** A platform and what the gates answered on it. */
export type Row = readonly [name: string, cells: Cells]

/** Asks the gates of the packed tarballs on every platform, each runtime in a process of its own. */
export function askPlatforms(): Row[] {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-platforms-'))
  try {
    const consumer = createConsumer(
      join(folder, 'app'),
      { folders: ['platforms'], type: 'module', dependencies: DEPENDENCIES },
      packAll(folder),
    )
    buildSync({
      entryPoints: [join(here, 'main.ts')],
      bundle: true,
      format: 'esm',
      platform: 'node',
      packages: 'external',
      outfile: join(consumer.folder, 'main.mjs'),
    })
    const ask = (command: string, ...words: string[]): Row[] => {
      const output = run(command, words, consumer.folder, { DENO_DIR: join(folder, 'deno') })
      const line = output.split('\n').find((each) => each.startsWith('[['))
      if (line === undefined) throw new Error(`${command} ${words.join(' ')} printed no rows:\n${output}`)
      return JSON.parse(line) as Row[]
    }
    const named = (name: string, [row]: Row[]): Row => [name, (row as Row)[1]]
    return [
      ...ask(process.execPath, 'main.mjs', 'node'),
      ...ask(process.execPath, 'main.mjs', 'nest'),
      named('Bun 1.4, Express 5, HTTP/1.1', ask(binaryIn(consumer, '@oven', 'bin/bun'), 'main.mjs', 'runtime')),
      named(
        'Deno 2.9, Express 5, HTTP/1.1',
        ask(
          binaryIn(consumer, '@deno', 'deno'),
          'run',
          '--allow-all',
          '--node-modules-dir=manual',
          'main.mjs',
          'runtime',
        ),
      ),
    ]
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

const DEPENDENCIES = [
  'express',
  'express-4@npm:express@4',
  'express-4.18@npm:express@4.18.0',
  ...['serverless-http', '@codegenie/serverless-express', 'light-my-request', 'http2-express-bridge', 'ioredis'],
  ...['common', 'core', 'platform-express'].map((name) => `@nestjs/${name}@11`),
  ...['reflect-metadata@0.2', 'rxjs@7', BUN, DENO],
]

/** A runtime's binary: npm installs the one of this machine, in a package of its own. */
function binaryIn({ folder }: Consumer, scope: string, path: string): string {
  const packages = join(folder, 'node_modules', scope)
  const found = existsSync(packages) ? readdirSync(packages).map((name) => join(packages, name, path)) : []
  const [binary] = found.filter((file) => existsSync(file))
  if (binary === undefined) throw new Error(`npm installed no ${scope} for ${process.platform} ${process.arch}`)
  return binary
}

/** The page with the tables of these rows in it. */
export function withTable(page: string, rows: readonly Row[]): string {
  const [start, end] = [page.indexOf(BEGIN), page.indexOf(END)]
  if (start === -1 || end < start) throw new Error(`${PAGE} has no place for the tables`)
  return `${page.slice(0, start + BEGIN.length)}\n\n${tablesOf(rows)}\n\n${page.slice(end)}`
}

const GATES = {
  hmac: 'requireHmac',
  oauth: 'requireOAuthBearer',
  mcp: 'requireMcpCredential',
  settings: 'requireSettingsSession',
} as const satisfies Record<keyof Cells, string>

/** A table for each gate. */
function tablesOf(rows: readonly Row[]): string {
  const tables = (Object.keys(GATES) as (keyof Cells)[]).map((gate) => {
    const lines = rows.map(([name, cells]) => `| ${name} | ${textOf(cells[gate])} |`)
    const head = ['| platform | good | tampered with | twice | none |', '|---|---|---|---|---|']
    return [`### \`${GATES[gate]}\``, '', ...head, ...lines].join('\n')
  })
  return tables.join('\n\n')
}

const textOf = ({ good, bad, doubled, missing }: Cell): string => [good, bad, doubled, missing].join(' | ')
