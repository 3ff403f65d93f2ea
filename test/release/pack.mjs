import { spawnSync } from 'node:child_process'
import { pnpm } from '../support/pnpm.mjs'
import { root } from './repository.mjs'

/** Packs these packages as they are published: pnpm writes versions for `workspace:` and `catalog:`. */
export function packInto(folder, packages) {
  const filters = packages.flatMap(({ folder: name }) => ['--filter', `./packages/${name}`])
  const { command, args } = pnpm(['-r', ...filters, 'pack', '--pack-destination', folder])
  const done = spawnSync(command, args, { cwd: root, encoding: 'utf8', shell: process.platform === 'win32' })
  if (done.status !== 0) throw new Error(`pnpm pack failed:\n${done.error ?? ''}${done.stdout}${done.stderr}`)
}
