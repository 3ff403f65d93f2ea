// `npm run bench`: what each gate and its peers cost. `-- --nodes 24,22,20 --all --write` measures everything and writes
// the pages; `-- --page` writes them of what was kept, without measuring.
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { withNode } from '../support/node-binary.mjs'
import { writePages } from './report/pages.js'
import { buildOf, everyResult, forgetOthers, keep, majorOf, oneBuild, resultOf } from './report/results.js'
import { forTerminal, gridOf } from './report/table.js'
import { type Options, REFERENCE, type Row, type Section } from './row.js'
import { sections } from './sections/index.js'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    section: { type: 'string', multiple: true },
    all: { type: 'boolean', default: false },
    processes: { type: 'string', default: '5' },
    rounds: { type: 'string', default: '7' },
    /** Keeps what was measured, and writes the pages. */
    write: { type: 'boolean', default: false },
    /** Keeps it alone. */
    keep: { type: 'boolean', default: false },
    page: { type: 'boolean', default: false },
    /** Versions of Node, each brought by npm; without it the one that runs this. */
    nodes: { type: 'string' },
  },
})

const asked = values.section ?? ['decisions']
const options: Options = { processes: Number(values.processes), rounds: Number(values.rounds), only: positionals }
const isKept = values.write || values.keep
/** Of another Node than the reference the page tells only what stands beside it. */
const picked = sections.filter(
  ({ id, isBeside }) =>
    (values.all && (isBeside || majorOf(process.version) === REFERENCE)) || (!values.all && asked.includes(id)),
)

function stop(message: string): never {
  console.error(message)
  process.exit(2)
}

const unknown = asked.filter((id) => !sections.some((section) => section.id === id))
if (unknown.length > 0) {
  stop(`No section is called ${unknown.join(', ')}. The sections: ${sections.map(({ id }) => id).join(', ')}`)
}
if (isKept && positionals.length > 0) stop('--write takes whole sections: leave out the names of cases')
// An exit ends what was started; a signal alone would not.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1))

/** Before it is measured for long: what it would be kept beside must be of the same build. */
function prepareToKeep(): string {
  const build = buildOf()
  if (values.all) forgetOthers(build)
  oneBuild([...everyResult(), { commit: build, node: process.version }])
  return build
}

const build = isKept ? prepareToKeep() : undefined

/** Keeps what it has after each case: the next one may fail, or be ended. Returns how many rows there are. */
async function run(section: Section): Promise<number> {
  const all: Row[] = []
  for await (const rows of section.measure(options)) {
    console.log(forTerminal(gridOf(section, rows)))
    all.push(...rows)
    if (build !== undefined) keep(section, resultOf(all, options, build))
  }
  return all.length
}

/** What a section failed at is missing in the pages; what was measured took long, and stays. */
function failed(what: string, error: unknown): void {
  console.error(`\n${what} failed:`, error)
  process.exitCode = 1
}

async function measureAll(): Promise<void> {
  let measured = 0
  for (const section of picked) {
    const started = performance.now()
    console.log(`\n${section.title.toUpperCase()}`)
    try {
      measured += await run(section)
    } catch (error) {
      failed(section.title, error)
    }
    console.log(`\n${section.title}: ${((performance.now() - started) / 1000).toFixed(0)} s`)
  }
  if (measured === 0 && positionals.length > 0)
    stop(`No case of ${picked.map(({ id }) => id).join(', ')} starts with ${positionals.join(' or ')}`)
}

/** This program under each of these versions, one after the other. */
function measureUnder(nodes: readonly string[]): void {
  const words = process.argv.slice(2).filter((word, index, all) => {
    return word !== '--write' && !word.startsWith('--nodes') && all[index - 1] !== '--nodes'
  })
  const args = [...process.execArgv, fileURLToPath(import.meta.url), ...words, ...(isKept ? ['--keep'] : [])]
  for (const version of nodes) {
    withNode(version, (node, env) => {
      const { status } = spawnSync(node, args, { stdio: 'inherit', env })
      if (status !== 0) failed(`The benchmark under Node ${version}`, status)
    })
  }
}

if (values.nodes !== undefined) measureUnder(values.nodes.split(','))
else if (!values.page) await measureAll()
if (values.write || values.page) {
  const written = writePages()
  console.log(`\nWritten: ${written.join(', ')}`)
}
process.exit()
