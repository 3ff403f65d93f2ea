import { describe, expect, test } from '@jest/globals'
import { checkDirection } from './direction.js'
import { checkReach } from './reach.js'
import { type Manifest, readPackages, type WorkspacePackage } from './workspace.js'

/** A package made up for a test, with its main entry in `src/index.ts`. */
function madeUp(folder: string, manifest: Partial<Manifest>, files: Record<string, string>): WorkspacePackage {
  return {
    folder,
    manifest: {
      name: `@countersign/${folder}`,
      exports: { '.': { 'dev-source': './src/index.ts' }, './redis': { 'dev-source': './src/stores/redis.ts' } },
      ...manifest,
    },
    files: [],
    sources: Object.entries(files).map(([path, text]) => ({ path: `packages/${folder}/src/${path}`, text })),
  }
}

describe('the direction of dependencies', () => {
  test('no package declares or imports against audit ← core ← redis ← gates ← { testing, cli } ← demo', () => {
    const packages = readPackages()
    expect(packages.map(({ folder }) => folder)).toEqual(expect.arrayContaining(['audit', 'core', 'redis', 'hmac']))
    expect(checkDirection(packages)).toEqual([])
  })

  test('a dependency upwards is found, whatever kind of dependency it is', () => {
    const range = { '@countersign/core': 'workspace:^' }
    for (const kind of ['dependencies', 'devDependencies', 'peerDependencies', 'optionalDependencies']) {
      expect(checkDirection([madeUp('audit', { [kind]: range }, {})])).toEqual([
        'audit depends on @countersign/core: against the direction',
      ])
    }
  })

  test('a gate that depends on another gate is found', () => {
    const hmac = madeUp('hmac', { dependencies: { '@countersign/oauth-bearer': 'workspace:^' } }, {})
    expect(checkDirection([hmac])).toEqual(['hmac depends on @countersign/oauth-bearer: against the direction'])
  })

  test.each([
    ["import { a } from '@countersign/redis'"],
    ["import type { A } from '@countersign/redis/sub'"],
    ["export * from '@countersign/redis'"],
    ["export const load = () => import('@countersign/redis')"],
    ["export const loaded = require('@countersign/redis')"],
    ["export type A = import('@countersign/redis').A"],
    ["declare module '@countersign/redis' { interface A { a: 1 } }"],
  ])('an import upwards is found: %s', (text) => {
    expect(checkDirection([madeUp('core', {}, { 'a.ts': text })])).toEqual([
      'core imports @countersign/redis: against the direction',
      'packages/core/src/a.ts imports @countersign/redis, which is no dependency of core',
    ])
  })

  test('an import of what is only a devDependency, or of another package by its path, is found', () => {
    const text = "import 'fast-check'\nimport '../../core/src/index.js'\nimport './own.js'\nimport 'node:fs'\n"
    const audit = madeUp('audit', { devDependencies: { 'fast-check': '1' } }, { 'a.ts': text })
    expect(checkDirection([audit])).toEqual([
      'packages/audit/src/a.ts imports fast-check, which is no dependency of audit',
      'packages/audit/src/a.ts reaches out of its package: ../../core/src/index.js',
    ])
  })

  test('what a comment or a string says is no import', () => {
    const text = "// import '@countersign/demo'\nexport const text = \"import '@countersign/demo'\"\n"
    expect(checkDirection([madeUp('core', {}, { 'a.ts': text })])).toEqual([])
  })

  test('a package or a dependency that the direction does not name is found', () => {
    expect(checkDirection([madeUp('extras', {}, {})])).toEqual(['extras has no row in the direction'])
    expect(checkDirection([madeUp('demo', { dependencies: { '@countersign/extras': '1' } }, {})])).toEqual([
      'demo depends on @countersign/extras, which no row of the direction names',
    ])
  })
})

describe('what a main entry loads', () => {
  test('no main entry loads ioredis or a Redis store, directly or through another file or package', () => {
    expect(checkReach(readPackages())).toEqual([])
  })

  test('ioredis behind two files and another package is found', () => {
    const redis = madeUp('redis', {}, { 'index.ts': "export * from './deep.js'", 'deep.ts': "import 'ioredis'" })
    const hmac = madeUp('hmac', {}, { 'index.ts': "export * from '@countersign/redis'" })
    expect(checkReach([redis, hmac])).toEqual([
      "redis's main entry loads ioredis, in packages/redis/src/deep.ts",
      "hmac's main entry loads ioredis, in packages/redis/src/deep.ts",
    ])
  })

  test('a Redis store behind a main entry is found, by its path or by its sub-path export', () => {
    const store = { 'stores/redis.ts': 'export const a = 1' }
    const own = madeUp('mcp-credential', {}, { ...store, 'index.ts': "export * from './stores/redis.js'" })
    const other = madeUp('cli', {}, { 'index.ts': "import '@countersign/mcp-credential/redis'" })
    expect(checkReach([own])).toEqual(["mcp-credential's main entry loads packages/mcp-credential/src/stores/redis.ts"])
    expect(checkReach([{ ...own, manifest: { ...own.manifest, private: true } }, other])).toEqual([
      "cli's main entry loads packages/mcp-credential/src/stores/redis.ts",
    ])
  })

  test('a type of ioredis alone is not loaded, and an entry that is not there is a complaint', () => {
    const typed = madeUp('redis', {}, { 'index.ts': "import type { Redis } from 'ioredis'\nexport type A = Redis" })
    expect(checkReach([typed])).toEqual([])
    expect(checkReach([madeUp('redis', {}, {})])).toEqual(['redis has no main entry'])
  })
})
