// `npm test`: everything, on a machine that has only Node, npm and git. `npm run test:quick`: the packages' own tests.
// `npm run test:long`: what has a short form in `npm test`, for longer than a run of everything allows.
// `npm run test:coverage`: everything, and what it runs of the sources; measuring makes the run a third longer.
// Arguments that are not ours go to Jest: `npm test -- packages/core`, `npm test -- -t 'outage'`.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import os from 'node:os'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { packInto } from './release/pack.mjs'
import { publicPackages } from './release/repository.mjs'
import { coverageLines, summariseCoverage } from './support/coverage.mjs'
import { readArguments, summarise } from './support/jest-results.mjs'
import { abilities, missingParts, planInstall } from './support/machine.mjs'
import { checkNode, pnpm } from './support/pnpm.mjs'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const words = process.argv.slice(2)
const quick = words.includes('--quick')
const long = words.includes('--long')
const covered = words.includes('--covered')
const jestArguments = words.filter((word) => !['--quick', '--long', '--covered'].includes(word))
/** The tests that have a long form. */
const LONG = [
  'test/browser/console',
  'test/consumers/new-user',
  'test/faults/',
  'test/integration/dpop-replay',
  'test/integration/hmac-rollout',
  'test/integration/polluted-prototype',
  'packages/mcp-credential/test/alike',
  'packages/mcp-credential/test/cluster-failover',
  'packages/mcp-credential/test/memory-life',
  'packages/settings-session/test/flood',
]
const LIMIT_MS = 60 * 60_000

function step(title, work) {
  console.log(`\n▶ ${title}`)
  const started = performance.now()
  const status = work()
  const seconds = ((performance.now() - started) / 1000).toFixed(1)
  console.log(`${status === 0 ? '✔' : '✘'} ${title}: ${seconds} s`)
  return status
}

function mustStep(title, work) {
  const status = step(title, work)
  if (status !== 0) process.exit(status)
}

function run(command, args, env = {}) {
  const done = spawnSync(command, args, {
    cwd: root,
    stdio: 'inherit',
    env: { ...process.env, ...env },
    shell: process.platform === 'win32',
    timeout: LIMIT_MS,
  })
  if (done.error) console.error(`${command}: ${done.error.message}`)
  return done.status ?? 1
}

/** The entry of an installed tool, started with this very Node rather than with the first one of the PATH. */
function tool(entry, ...args) {
  return run(process.execPath, [join(root, 'node_modules', entry), ...args])
}

function provision() {
  const missing = missingParts()
  if (missing.length === 0) return 0
  const plan = planInstall(missing, abilities())
  for (const [command, ...args] of plan.commands ?? []) {
    console.log(`$ ${command} ${args.join(' ')}`)
    const status = run(command, args, { DEBIAN_FRONTEND: 'noninteractive' })
    if (status !== 0) return status
  }
  const left = missingParts()
  if (left.length === 0) return 0
  console.error(`The tests run real parts, and the machine lacks: ${left.join(', ')}.`)
  if (plan.message) console.error(plan.message)
  return 1
}

function install() {
  const { command, args } = pnpm(['install', '--frozen-lockfile', '--config.confirm-modules-purge=false'])
  return run(command, args)
}

/** From nothing, so that what was built from a source that is gone is not tested, and not packed. */
function build() {
  for (const name of readdirSync(join(root, 'packages'))) {
    rmSync(join(root, 'packages', name, 'dist'), { recursive: true, force: true })
  }
  return tool('typescript/bin/tsc', '-b', 'test')
}

/** Once, for all test files that install the packages as an app does. */
function pack() {
  packed = mkdtempSync(join(os.tmpdir(), 'countersign-packed-'))
  process.once('exit', () => rmSync(packed, { recursive: true, force: true }))
  packInto(packed, publicPackages())
  return 0
}

const readJson = (file) => JSON.parse(readFileSync(file, 'utf8'))

function jest() {
  const given = readArguments(jestArguments)
  const folder = mkdtempSync(join(os.tmpdir(), 'countersign-jest-'))
  const file = join(folder, 'results.json')
  const args = ['--json', `--outputFile=${file}`]
  if (!given.setsConfig) args.push('-c', join(root, 'test', 'jest.config.js'))
  // Most of the tests' time is spent waiting for servers, so two files at a time even on one core.
  if (!given.setsWorkers) args.push(`--maxWorkers=${Math.max(2, os.availableParallelism() - 1)}`)
  if (quick && !given.namesFiles) args.push('packages/[^/]+/test/', 'test/structure/')
  if (long && !given.namesFiles) args.push(...LONG)
  if (covered) args.push('--coverage', '--coverageReporters=json-summary', `--coverageDirectory=${folder}`)
  const options = ['--experimental-vm-modules', '--disable-warning=ExperimentalWarning']
  try {
    const status = run(process.execPath, [join(root, 'node_modules/jest/bin/jest.js'), ...args, ...jestArguments], {
      NODE_OPTIONS: [process.env.NODE_OPTIONS, ...options].filter(Boolean).join(' '),
      ...(long ? { COUNTERSIGN_TEST_LONG: '1' } : {}),
      ...(packed === undefined ? {} : { COUNTERSIGN_TARBALLS: packed }),
    })
    report = summarise(readJson(file), given)
    if (covered) coverage = summariseCoverage(readJson(join(folder, 'coverage-summary.json')), root)
    if (status !== 0) return status
    if (report.problem) console.error(report.problem)
    return report.problem || report.failed > 0 ? 1 : 0
  } catch (error) {
    console.error(`Jest left no results: ${error.message}`)
    return 1
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

checkNode()
let report
let coverage
let packed
if (!quick && !long) {
  mustStep('Redis, PostgreSQL, nginx, Prometheus and Chromium', provision)
  mustStep('Install', install)
  mustStep('Build and types', build)
  mustStep('Lint', () => tool('@biomejs/biome/bin/biome', 'check', '--error-on-warnings', '.'))
  if (!readArguments(jestArguments).namesFiles) mustStep('Pack', pack)
}
const status = step('Tests', jest)
if (report !== undefined) {
  const slow = report.slowest.filter(({ seconds }) => seconds >= 10)
  if (slow.length > 0) console.log('\nThe slowest files:')
  for (const { name, seconds } of slow) console.log(`  ${seconds.toFixed(1)} s  ${relative(root, name)}`)
  if (coverage !== undefined) {
    console.log('\nWhat the tests run of the sources, the processes that they start not counted:')
    for (const line of coverageLines(coverage)) console.log(line)
  }
  console.log(`\n${report.line}`)
}
process.exit(status)
