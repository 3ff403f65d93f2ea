// Runs the tests under other versions of Node:
//   node test/other-nodes.mjs 22 24 [Jest's arguments]
import { spawnSync } from 'node:child_process'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { withNode } from './support/node-binary.mjs'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const words = process.argv.slice(2)
// The first words alone: Jest's arguments have numbers, too.
const firstOther = words.findIndex((word) => !/^\d+(\.\d+){0,2}$/.test(word))
const versions = firstOther === -1 ? words : words.slice(0, firstOther)
const rest = words.slice(versions.length)

if (versions.length === 0) {
  console.error('Usage: node test/other-nodes.mjs <version> [<version> …] [arguments of npm test]')
  process.exit(2)
}

/** Runs `npm test` with one version's binary first in the PATH. */
function testUnder(version) {
  try {
    return withNode(version, (node, env) => {
      const done = spawnSync(node, [join(root, 'test', 'run.mjs'), ...rest], { cwd: root, stdio: 'inherit', env })
      return done.status ?? 1
    })
  } catch (error) {
    console.error(error.message)
    return 1
  }
}

const results = versions.map((version) => ({ version, status: testUnder(version) }))
console.log()
for (const { version, status } of results)
  console.log(`Node ${version}: ${status === 0 ? 'passed' : `failed (${status})`}`)
process.exit(results.every(({ status }) => status === 0) ? 0 : 1)
