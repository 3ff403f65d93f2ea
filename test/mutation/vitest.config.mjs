import { join } from 'node:path'
import { root } from '../release/repository.mjs'

// As in test/jest.config.js: the packages import each other's sources.
const conditions = ['dev-source', 'node', 'module', 'default']

/** Vitest, as Stryker starts it in its own processes: run.mjs hands the test files over in the environment. */
export default {
  resolve: { conditions, alias: { '@jest/globals': join(import.meta.dirname, 'jest-globals.mjs') } },
  ssr: { resolve: { conditions } },
  test: {
    root,
    include: process.env.MUTATION_TESTS?.split(','),
    // One process for all: a mutant costs the tests that reach it, not the loading of Express.
    isolate: false,
    fileParallelism: false,
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
}
