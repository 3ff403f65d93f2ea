import { describe, expect, test } from '@jest/globals'
import { cruise } from './cruise.js'
import { type MadeUpPackage, withWorkspace } from './made-up-workspace.js'
import { checkReach } from './reach.js'
import { readPackages, root } from './workspace.js'

const checkMadeUp = (packages: Record<string, MadeUpPackage>): string[] =>
  withWorkspace(packages, (folder) => checkReach(readPackages(folder), cruise(folder).modules))

/** A package with a main entry alone, in `src/index.ts`. */
const withMain = (sources: Record<string, string>): MadeUpPackage => ({
  manifest: { exports: { '.': { 'dev-source': './src/index.ts' } } },
  sources,
})

test('an entry loads what all its users need: a gate core alone, and no entry a library that it is not about', () => {
  expect(checkReach(readPackages(), cruise(root).modules)).toEqual([])
})

describe('a planted load is found', () => {
  test('of a library behind another file and another package', () => {
    const complaints = checkMadeUp({
      core: withMain({ 'index.ts': "export * from './deep.js'", 'deep.ts': "import 'ioredis'\nimport 'pg/lib/pool'" }),
      audit: withMain({ 'index.ts': "export const load = () => import('@countersign/core')" }),
    })
    expect(complaints).toEqual([
      '@countersign/audit loads ioredis, in packages/core/src/deep.ts',
      '@countersign/audit loads pg, in packages/core/src/deep.ts',
      '@countersign/core loads ioredis, in packages/core/src/deep.ts',
      '@countersign/core loads pg, in packages/core/src/deep.ts',
    ])
  })

  test('of @countersign/redis by a main entry, which its Redis sub-path may load', () => {
    const store = "export * from '@countersign/redis'"
    const complaints = checkMadeUp({
      redis: withMain({ 'index.ts': 'export const a = 1' }),
      hmac: { sources: { 'index.ts': 'export const b = 1', 'store/redis.ts': store } },
      'oauth-bearer': { sources: { 'index.ts': "export * from './store/redis.js'", 'store/redis.ts': store } },
    })
    expect(complaints).toEqual([
      '@countersign/oauth-bearer loads @countersign/redis, in packages/oauth-bearer/src/store/redis.ts',
    ])
  })

  test('of one sink’s library by another sink', () => {
    const exports = { './pino': { 'dev-source': './src/pino.ts' }, './sentry': { 'dev-source': './src/sentry.ts' } }
    const sources = { 'pino.ts': "import 'pino'", 'sentry.ts': "import './pino.js'\nimport '@sentry/node'" }
    expect(checkMadeUp({ audit: { manifest: { exports }, sources } })).toEqual([
      '@countersign/audit/sentry loads pino, in packages/audit/src/pino.ts',
    ])
  })

  test('but a type alone is not loaded, a private package is free, and an entry that is not there is named', () => {
    const complaints = checkMadeUp({
      core: withMain({ 'index.ts': "import type { Redis } from 'ioredis'\nexport type A = Redis" }),
      demo: { manifest: { private: true }, sources: { 'index.ts': "import 'express'" } },
      hmac: withMain({}),
    })
    expect(complaints).toEqual(['@countersign/hmac is not there'])
  })
})
