import { join } from 'node:path'
import { expect, test } from '@jest/globals'
import { withWorkspace } from './made-up-workspace.js'
import { runTool } from './tool.js'
import { root } from './workspace.js'

const knip = (folder: string, ...args: string[]) =>
  runTool('knip/bin/knip.js', ['--config', join(root, 'knip.jsonc'), ...args], folder)

const PUBLISHED = ['--production', '--include', 'files,dependencies']

test('no file, export or dependency is dead', () => {
  const { status, stdout, stderr } = knip(root)
  expect(stdout + stderr).toBe('')
  expect(status).toBe(0)
})

test('no source and no dependency of a published package serves its tests alone', () => {
  const { stdout, stderr } = knip(root, ...PUBLISHED)
  expect(stdout + stderr).toBe('')
})

test('a planted dead file, export and dependency are found', () => {
  const sources = {
    'index.ts': "export { used } from './used.js'",
    'used.ts': 'export const used = 1\nexport const unused = 2',
    'dead.ts': 'export const dead = 3',
  }
  const manifest = { dependencies: { 'left-behind': '1.0.0' } }
  const { status, stdout } = withWorkspace({ core: { manifest, sources, libraries: ['left-behind'] } }, (folder) =>
    knip(folder),
  )
  expect(status).toBe(1)
  expect(stdout).toContain('packages/core/src/dead.ts')
  expect(stdout).toMatch(/^unused +packages\/core\/src\/used\.ts/m)
  expect(stdout).toMatch(/^left-behind +packages\/core\/package\.json/m)
})

test('a planted source and dependency of the tests alone are found', () => {
  const sources = {
    'index.ts': 'export const used = 1',
    'helper.ts': 'export const helper = 2',
    '../test/a.test.ts': "import 'library'\nimport { helper } from '../src/helper.js'\nhelper.toFixed()",
  }
  const packages = { core: { manifest: { dependencies: { library: '1.0.0' } }, sources, libraries: ['library'] } }
  const all = withWorkspace(packages, (folder) => knip(folder))
  expect(all.stdout).not.toContain('helper')
  const { status, stdout } = withWorkspace(packages, (folder) => knip(folder, ...PUBLISHED))
  expect(status).toBe(1)
  expect(stdout).toContain('packages/core/src/helper.ts')
  expect(stdout).toMatch(/^library +packages\/core\/package\.json/m)
})
