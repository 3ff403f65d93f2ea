import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'

const here = dirname(fileURLToPath(import.meta.url))
const root = join(here, '..', '..', '..')
const documents = {
  readme: join(here, '..', 'README.md'),
  guide: join(root, 'docs', 'guides', 'oauth-bearer.md'),
  providers: join(root, 'docs', 'guides', 'oauth-providers.md'),
  mcp: join(root, 'docs', 'guides', 'hosted-mcp-server.md'),
}

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'countersign-snippets-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** The packages as an app would have them, by links. */
function installLinks(): void {
  const modules = join(folder, 'node_modules')
  for (const scope of ['@countersign', '@modelcontextprotocol', '@types'])
    mkdirSync(join(modules, scope), { recursive: true })
  for (const name of ['audit', 'core', 'redis', 'oauth-bearer']) {
    symlinkSync(join(root, 'packages', name), join(modules, '@countersign', name))
  }
  const own = join(here, '..', 'node_modules')
  for (const name of readdirSync(join(own, '@modelcontextprotocol'))) {
    symlinkSync(join(own, '@modelcontextprotocol', name), join(modules, '@modelcontextprotocol', name))
  }
  for (const name of ['cors', 'express', 'ioredis', 'zod', '@types/cors', '@types/express'])
    symlinkSync(join(own, name), join(modules, name))
  symlinkSync(join(root, 'node_modules', '@types', 'node'), join(modules, '@types', 'node'))
}

describe('code in the documents', () => {
  test('[oauth-recipes] each block of TypeScript compiles as it stands', () => {
    installLinks()
    let count = 0
    for (const [name, file] of Object.entries(documents)) {
      const blocks = [...readFileSync(file, 'utf8').matchAll(/^```ts\n(.*?)^```$/gms)]
      for (const [index, [, code = '']] of blocks.entries()) {
        writeFileSync(join(folder, `${name}-${index}.ts`), code)
        count += 1
      }
    }
    expect(count).toBeGreaterThanOrEqual(12)
    cpSync(join(root, 'tsconfig.base.json'), join(folder, 'base.json'))
    const compilerOptions = {
      noEmit: true,
      composite: false,
      declaration: false,
      isolatedDeclarations: false,
      lib: ['es2023', 'es2024.string', 'dom'],
    }
    writeFileSync(
      join(folder, 'tsconfig.json'),
      JSON.stringify({ extends: './base.json', compilerOptions, include: ['*.ts'] }),
    )
    writeFileSync(join(folder, 'package.json'), '{"type":"module"}')
    const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc')
    const { stdout, status } = spawnSync(process.execPath, [tsc, '-p', folder], { encoding: 'utf8', timeout: 120_000 })
    expect([stdout, status]).toEqual(['', 0])
  }, 120_000)
})
