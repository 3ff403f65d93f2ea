import { join } from 'node:path'
import { expect, test } from '@jest/globals'
import { withWorkspace } from './made-up-workspace.js'
import { runTool } from './tool.js'
import { root } from './workspace.js'

const knip = (folder: string) => runTool('knip/bin/knip.js', ['--config', join(root, 'knip.jsonc')], folder)

test('no file, export or dependency is dead', () => {
  const { status, stdout, stderr } = knip(root)
  expect(stdout + stderr).toBe('')
  expect(status).toBe(0)
})

test('a planted dead file, export and dependency are found', () => {
  const sources = {
    'index.ts': "export { used } from './used.js'",
    'used.ts': 'export const used = 1\nexport const unused = 2',
    'dead.ts': 'export const dead = 3',
  }
  const manifest = { dependencies: { 'left-behind': '1.0.0' } }
  const { status, stdout } = withWorkspace({ core: { manifest, sources, libraries: ['left-behind'] } }, knip)
  expect(status).toBe(1)
  expect(stdout).toContain('packages/core/src/dead.ts')
  expect(stdout).toMatch(/^unused +packages\/core\/src\/used\.ts/m)
  expect(stdout).toMatch(/^left-behind +packages\/core\/package\.json/m)
})
