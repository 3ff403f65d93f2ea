import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { root } from '../structure/workspace.js'
import { type Consumer, createConsumer } from './consumer.js'
import { packAll, run } from './tarballs.js'

const INSTALL_MS = 180_000
const GATES = ['hmac', 'oauth-bearer', 'mcp-credential', 'settings-session']
const exercised = `exercised [${GATES.join(', ')}]`

/** The oldest of each line that the packages support, and the last of the newer lines. */
const VERSIONS = ['20.19.0', '22.12.0', '24', '26']
/** The npm package of a binary for this machine. */
const BINARY = `node-${process.platform === 'win32' ? 'win' : process.platform}-${process.arch}`

const [ESM, COMMONJS] = [
  ['main.mjs', (specifier: string) => `await import('${specifier}')`],
  ['main.cjs', (specifier: string) => `require('${specifier}')`],
] as const

/** A program that uses all gates. */
function programOf(load: (specifier: string) => string): string {
  return `const run = async () => {
  const { createAudit } = ${load('@countersign/audit')}
  const { exercise } = ${load('./exercise.mjs')}
  const { startIssuer } = ${load('./issuer.mjs')}
  const gates = { ${GATES.map((name) => `'${name}': ${load(`@countersign/${name}`)}`).join(', ')} }
  const { default: express = ${load('express')} } = ${load('express')}
  console.log(process.version, await exercise({ express, createAudit, gates, issuer: await startIssuer() }))
}
run()\n`
}

let folder: string
let consumer: Consumer
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'countersign-nodes-'))
  const tarballs = packAll(folder)
  const binaries = VERSIONS.map((version) => `node-${version}@npm:${BINARY}@${version}`)
  const project = { folders: ['shared'], type: 'module' as const, dependencies: ['express', 'ioredis', ...binaries] }
  consumer = createConsumer(join(folder, 'app'), project, tarballs)
  for (const [file, load] of [ESM, COMMONJS]) writeFileSync(join(consumer.folder, file), programOf(load))
}, INSTALL_MS)
afterAll(() => rmSync(folder, { recursive: true, force: true }))

test('the oldest versions are those of engines', () => {
  const { engines } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { engines: { node: string } }
  expect(engines.node).toBe(`^${VERSIONS[0]} || >=${VERSIONS[1]}`)
})

test.each(VERSIONS)('on Node %s an ESM and a CommonJS app use every gate, for requests and upgrades', (version) => {
  const node = join(
    consumer.folder,
    'node_modules',
    `node-${version}`,
    'bin',
    process.platform === 'win32' ? 'node.exe' : 'node',
  )
  const started = run(node, ['--version'], folder).trim()
  expect(started).toMatch(new RegExp(`^v${version}(\\.|$)`))
  for (const [file] of [ESM, COMMONJS]) expect(run(node, [file], consumer.folder)).toContain(`${started} ${exercised}`)
})
