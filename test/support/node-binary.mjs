// Other versions of Node, from the npm package `node`, which carries the binaries.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'

const isWindows = process.platform === 'win32'

/**
 * Installs one version, tells `use` where its binary is and with which environment it comes first in the PATH, and removes
 * it. Throws when there is none for this machine.
 */
export function withNode(version, use) {
  const folder = mkdtempSync(join(tmpdir(), `countersign-node-${version}-`))
  try {
    // Its install script links the binary's package to bin/node.
    const words = ['install', '--prefix', folder, '--no-audit', '--no-fund', `node@${version}`]
    const installed = spawnSync('npm', words, { stdio: 'inherit', shell: isWindows })
    const bin = join(folder, 'node_modules', 'node', 'bin')
    const node = join(bin, isWindows ? 'node.exe' : 'node')
    const told = spawnSync(node, ['--version'], { encoding: 'utf8' })
    if (installed.status !== 0 || told.status !== 0) {
      throw new Error(
        `The npm package node@${version} brought no binary for this machine: ${told.error?.message ?? told.stderr}`,
      )
    }
    console.log(`\n■ Node ${told.stdout.trim()}`)
    return use(node, { ...process.env, PATH: `${bin}${delimiter}${process.env.PATH}` })
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
