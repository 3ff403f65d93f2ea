import { describe, expect, test } from '@jest/globals'
import { type Cruise, cruise } from './cruise.js'
import { type MadeUpPackage, withWorkspace } from './made-up-workspace.js'
import { readSource } from './source.js'
import { readPackages, root } from './workspace.js'

const cruiseMadeUp = (packages: Record<string, MadeUpPackage>): Cruise => withWorkspace(packages, cruise)

/** A package that declares these packages of ours as its dependencies. */
const needing = (names: string[], sources: Record<string, string>): MadeUpPackage => ({
  manifest: { dependencies: Object.fromEntries(names.map((name) => [`@countersign/${name}`, 'workspace:^'])) },
  sources,
})

describe('the imports of the sources', () => {
  const { modules, complaints } = cruise(root)

  test('make no circle, follow core ← { audit, redis, postgres } ← gates ← { testing, cli } ← demo, and are declared', () => {
    expect(complaints).toEqual([])
  })

  test('are seen in more than 300 files, none of them left out', () => {
    expect(modules.length).toBeGreaterThan(300)
    const files = readPackages().flatMap(({ sources }) => sources.map(({ path }) => path))
    expect(modules.map(({ source }) => source).sort()).toEqual(files.sort())
  })

  test('are all seen, whatever form they have', () => {
    const seen = new Map(modules.map(({ source, dependencies }) => [source, dependencies.map((one) => one.module)]))
    const missed = readPackages()
      .flatMap(({ sources }) => sources)
      .flatMap((file) =>
        readSource(file)
          .imports.map(({ specifier }) => specifier.replace(/^node:/, ''))
          .filter((specifier) => seen.get(file.path)?.includes(specifier) !== true)
          .map((specifier) => `${file.path}: ${specifier}`),
      )
    expect(missed).toEqual([])
  })
})

describe('a planted mistake is found', () => {
  test('a circle, of type imports alone and through another package too', () => {
    const { complaints } = cruiseMadeUp({
      core: {
        sources: {
          'index.ts': "export * from './a.js'",
          'a.ts': "import { b } from './b.js'\nexport const a = b",
          'b.ts': "import { a } from './a.js'\nexport const b = a",
          'c.ts': "import type { D } from './d.js'\nexport type C = D",
          'd.ts': "import { type C } from './c.js'\nexport type D = C",
        },
      },
      redis: { sources: { 'index.ts': "export type { E } from '@countersign/hmac'" } },
      hmac: { sources: { 'index.ts': "import type { F } from '@countersign/redis'\nexport type E = F" } },
    })
    expect(complaints.filter((complaint) => complaint.startsWith('circle'))).toEqual([
      'circle: packages/core/src/a.ts → packages/core/src/b.ts → packages/core/src/a.ts',
      'circle: packages/core/src/c.ts → packages/core/src/d.ts → packages/core/src/c.ts',
      'circle: packages/hmac/src/index.ts → packages/redis/src/index.ts → packages/hmac/src/index.ts',
    ])
  })

  test('an import of a later row, in whatever form', () => {
    const { complaints } = cruiseMadeUp({
      core: needing(['redis'], {
        'import.ts': "import { a } from '@countersign/redis'",
        'type.ts': "import type { A } from '@countersign/redis/redis'",
        'export.ts': "export * from '@countersign/redis'",
        'dynamic.ts': "export const load = () => import('@countersign/redis')",
        'require.ts': "export const loaded = require('@countersign/redis')",
      }),
      redis: { sources: { 'index.ts': 'export const a = 1', 'store/redis.ts': 'export type A = 1' } },
    })
    expect(complaints).toEqual([
      'direction: packages/core/src/dynamic.ts → packages/redis/src/index.ts',
      'direction: packages/core/src/export.ts → packages/redis/src/index.ts',
      'direction: packages/core/src/import.ts → packages/redis/src/index.ts',
      'direction: packages/core/src/require.ts → packages/redis/src/index.ts',
      'direction: packages/core/src/type.ts → packages/redis/src/store/redis.ts',
    ])
  })

  test('an import within a row, and in a package that no row names', () => {
    const leaf = { 'index.ts': 'export const a = 1' }
    const { complaints } = cruiseMadeUp({
      core: { sources: leaf },
      audit: { sources: leaf },
      redis: needing(['audit'], { 'index.ts': "export * from '@countersign/audit'" }),
      hmac: needing(['oauth-bearer'], { 'index.ts': "export * from '@countersign/oauth-bearer'" }),
      'oauth-bearer': needing(['core'], { 'index.ts': "export * from '@countersign/core'" }),
      extras: needing(['core'], { 'index.ts': "export * from '@countersign/core'" }),
    })
    expect([...complaints].sort()).toEqual([
      'direction: packages/extras/src/index.ts → packages/core/src/index.ts',
      'direction: packages/hmac/src/index.ts → packages/oauth-bearer/src/index.ts',
      'direction: packages/redis/src/index.ts → packages/audit/src/index.ts',
    ])
  })

  test('an import of another package by its path, of what is undeclared, and of what is not there', () => {
    const { complaints } = cruiseMadeUp({
      core: { sources: { 'index.ts': 'export const a = 1' } },
      audit: {
        manifest: {
          devDependencies: { '@countersign/core': 'workspace:^', 'fast-check': '*', pino: '*' },
          peerDependencies: { pino: '*' },
        },
        libraries: ['fast-check', 'pino', 'undeclared'],
        sources: {
          'index.ts': "import '@countersign/core'",
          'libraries.ts': "import 'fast-check'\nimport 'pino'\nimport 'undeclared'",
          'path.ts': "import '../../core/src/index.js'",
          'gone.ts': "import './nowhere.js'\nimport 'node:fs'",
        },
      },
    })
    expect([...complaints].sort()).toEqual([
      'climbs-out: packages/audit/src/path.ts → packages/core/src/index.ts',
      'undeclared: packages/audit/src/index.ts → packages/core/src/index.ts',
      'undeclared: packages/audit/src/libraries.ts → packages/audit/node_modules/fast-check/index.js',
      'undeclared: packages/audit/src/libraries.ts → packages/audit/node_modules/undeclared/index.js',
      'undeclared: packages/audit/src/path.ts → packages/core/src/index.ts',
      'unresolved: packages/audit/src/gone.ts → ./nowhere.js',
    ])
  })

  test('what a comment or a string says is not an import', () => {
    const text = "// import '@countersign/demo'\nexport const text = \"import '@countersign/demo'\"\n"
    expect(cruiseMadeUp({ core: { sources: { 'a.ts': text } } }).complaints).toEqual([])
  })
})
