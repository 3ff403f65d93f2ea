import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { transformSync } from '@swc/core'

const here = dirname(fileURLToPath(import.meta.url))
const root = join(here, '..', '..', '..')
const recipes = join(root, 'docs', 'recipes', 'providers')
const documents = {
  ...Object.fromEntries(readdirSync(recipes).map((name) => [name.replace('.md', ''), join(recipes, name)])),
  readme: join(here, '..', 'README.md'),
  guide: join(root, 'docs', 'guides', 'oauth-bearer.md'),
  refused: join(root, 'docs', 'guides', 'why-is-my-token-refused.md'),
  mcp: join(root, 'docs', 'guides', 'hosted-mcp-server.md'),
}

const blocks = Object.entries(documents).flatMap(([name, file]) =>
  [...readFileSync(file, 'utf8').matchAll(/^```ts\n(.*?)^```$/gms)].map(([, code = ''], index) => ({
    name: `${name}-${index}`,
    code,
  })),
)

/** What the blocks read from the environment. */
const ENVIRONMENT = {
  INTERNAL_KEY: 'the-key-of-the-internal-endpoint',
  INTROSPECTION_SECRET: 'the-secret-of-the-resource',
  REPORTS_TOKEN: 'the-legacy-token-of-the-reports',
  TOKEN: 'a-token-that-is-opaque',
}

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'countersign-snippets-'))
  writeFileSync(join(folder, 'package.json'), '{"type":"module"}')
  installLinks()
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** The packages as an app would have them, by links. */
function installLinks(): void {
  const modules = join(folder, 'node_modules')
  for (const scope of ['@countersign', '@modelcontextprotocol', '@types'])
    mkdirSync(join(modules, scope), { recursive: true })
  for (const name of ['audit', 'core', 'redis', 'oauth-bearer', 'mcp-credential']) {
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
    for (const { name, code } of blocks) writeFileSync(join(folder, `${name}.ts`), code)
    expect(blocks.length).toBeGreaterThanOrEqual(30)
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
    const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc')
    const { stdout, status } = spawnSync(process.execPath, [tsc, '-p', folder], { encoding: 'utf8', timeout: 120_000 })
    expect([stdout, status]).toEqual(['', 0])
  }, 120_000)

  test('[oauth-recipes] each block of TypeScript runs as it stands', () => {
    for (const { name, code } of blocks) {
      const { code: script } = transformSync(code, {
        swcrc: false,
        jsc: { parser: { syntax: 'typescript' }, target: 'es2022' },
        module: { type: 'es6' },
      })
      // A port that is free.
      writeFileSync(join(folder, `${name}.js`), script.replaceAll('.listen(3000', '.listen(0'))
    }
    const names = JSON.stringify(blocks.map(({ name }) => name))
    const runner = `for (const name of ${names}) {
      try { await import(\`./\${name}.js\`) } catch (error) { console.error(name, error); process.exit(1) }
    }
    process.exit(0)`
    writeFileSync(join(folder, 'run-all.js'), runner)
    const { stdout, stderr, status } = spawnSync(process.execPath, [join(folder, 'run-all.js')], {
      encoding: 'utf8',
      timeout: 120_000,
      env: { ...process.env, ...ENVIRONMENT },
    })
    expect([status, status === 0 ? '' : stderr]).toEqual([0, ''])
    // What the one about a refused token prints.
    expect(stdout).toMatch(/^malformed_token\nform failed\nissuer not_reached$/m)
  }, 120_000)
})
