// Installs, builds and runs the demo on a machine that has only Node, npm and git.
import { spawn, spawnSync } from 'node:child_process'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { checkNode, pnpm } from '../../test/support/pnpm.mjs'
import { readArguments } from './src/arguments.mjs'

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..')

function step(title, command, args) {
  process.stdout.write(`${title} … `)
  const started = performance.now()
  const done = spawnSync(command, args, { cwd: root, encoding: 'utf8', shell: process.platform === 'win32' })
  if (done.status !== 0) {
    console.log('failed')
    console.error(done.error?.message ?? `${done.stdout}${done.stderr}`)
    process.exit(done.status || 1)
  }
  console.log(`${((performance.now() - started) / 1000).toFixed(1)} s`)
}

checkNode()
const words = process.argv.slice(2)
const { complaint } = readArguments(words, process.env)
if (complaint !== undefined) {
  console.error(complaint)
  process.exit(2)
}
const install = pnpm(['install', '--frozen-lockfile'])
step('Installing', install.command, install.args)
step('Building', process.execPath, [join(root, 'node_modules', 'typescript', 'bin', 'tsc'), '-b', 'packages/demo'])

const demo = spawn(process.execPath, [join(root, 'packages/demo/dist/main.js'), ...words], { stdio: 'inherit' })
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => demo.kill(signal))
demo.on('exit', (code, signal) => process.exit(signal === null ? (code ?? 1) : 0))
