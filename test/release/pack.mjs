import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pnpm } from '../support/pnpm.mjs'
import { withAddresses } from './addresses.mjs'
import { readJson, root } from './repository.mjs'

function run(command, args, cwd) {
  const done = spawnSync(command, args, { cwd, encoding: 'utf8', shell: process.platform === 'win32' })
  if (done.status !== 0)
    throw new Error(`${command} ${args[0]} failed:\n${done.error ?? ''}${done.stdout}${done.stderr}`)
}

/**
 * Packs these packages as they are published: pnpm writes versions for `workspace:` and `catalog:`, and the links of a README
 * get addresses. In the repository they are relative, for GitHub and the site; on npm they would lead nowhere.
 */
export function packInto(folder, packages) {
  const filters = packages.flatMap(({ folder: name }) => ['--filter', `./packages/${name}`])
  const { command, args } = pnpm(['-r', ...filters, 'pack', '--pack-destination', folder])
  run(command, args, root)
  const repository = readJson('repository.json')
  for (const { folder: name, tarball } of packages) {
    const unpacked = mkdtempSync(join(folder, 'readme-'))
    run('tar', ['-xzf', join(folder, tarball), '-C', unpacked], folder)
    const file = join(unpacked, 'package/README.md')
    writeFileSync(file, withAddresses(readFileSync(file, 'utf8'), `packages/${name}/README.md`, repository))
    run('tar', ['-czf', join(folder, tarball), '-C', unpacked, 'package'], folder)
    rmSync(unpacked, { recursive: true })
  }
}
