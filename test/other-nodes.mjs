// Runs the tests under other versions of Node, from the npm package `node`, which carries the binaries:
//   node test/other-nodes.mjs 22 24 [Jest's arguments]
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const words = process.argv.slice(2)
// The first words alone: Jest's arguments have numbers, too.
const firstOther = words.findIndex((word) => !/^\d+(\.\d+){0,2}$/.test(word))
const versions = firstOther === -1 ? words : words.slice(0, firstOther)
const rest = words.slice(versions.length)
const isWindows = process.platform === 'win32'

if (versions.length === 0) {
  console.error('Usage: node test/other-nodes.mjs <version> [<version> …] [arguments of npm test]')
  process.exit(2)
}

function run(command, args, env = process.env) {
  const done = spawnSync(command, args, { cwd: root, stdio: 'inherit', env, shell: isWindows })
  return done.status ?? 1
}

/** Installs one version's binary and runs `npm test` with it first in the PATH. */
function testUnder(version) {
  const folder = mkdtempSync(join(tmpdir(), `countersign-node-${version}-`))
  try {
    // Its install script links the binary's package to bin/node.
    const installed = run('npm', ['install', '--prefix', folder, '--no-audit', '--no-fund', `node@${version}`])
    if (installed !== 0) return installed
    const bin = join(folder, 'node_modules', 'node', 'bin')
    const node = join(bin, isWindows ? 'node.exe' : 'node')
    const told = spawnSync(node, ['--version'], { encoding: 'utf8' })
    if (told.status !== 0) {
      console.error(
        `The npm package node@${version} brought no binary for this machine: ${told.error?.message ?? told.stderr}`,
      )
      return 1
    }
    console.log(`\n■ Node ${told.stdout.trim()}`)
    return run(node, [join(root, 'test', 'run.mjs'), ...rest], {
      ...process.env,
      PATH: `${bin}${delimiter}${process.env.PATH}`,
    })
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

const results = versions.map((version) => ({ version, status: testUnder(version) }))
console.log()
for (const { version, status } of results)
  console.log(`Node ${version}: ${status === 0 ? 'passed' : `failed (${status})`}`)
process.exit(results.every(({ status }) => status === 0) ? 0 : 1)
