// `npm run bench`: what each gate and its peers cost. `-- --all --write` measures everything and makes docs/performance.md;
// `-- --page` makes it of what was kept, without measuring.
import { writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { chart } from './report/chart.js'
import { type Kept, page, rowsOf } from './report/page.js'
import { keep, kept, keptMajors, resultOf } from './report/results.js'
import { forTerminal, gridOf } from './report/table.js'
import { targetTable } from './report/targets.js'
import type { Options, Row, Section } from './row.js'
import { sections } from './sections/index.js'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    section: { type: 'string', multiple: true },
    all: { type: 'boolean', default: false },
    growth: { type: 'boolean', default: false },
    processes: { type: 'string', default: '5' },
    rounds: { type: 'string', default: '15' },
    write: { type: 'boolean', default: false },
    page: { type: 'boolean', default: false },
  },
})

const asked = values.section ?? [values.growth ? 'growth' : 'decisions']
const picked = values.all ? sections : sections.filter(({ id }) => asked.includes(id))
const options: Options = { processes: Number(values.processes), rounds: Number(values.rounds), only: positionals }

function stop(message: string): never {
  console.error(message)
  process.exit(2)
}

const known = new Set(sections.map(({ id }) => id))
const unknown = asked.filter((id) => !known.has(id))
if (unknown.length > 0) stop(`No section is called ${unknown.join(', ')}. The sections: ${[...known].join(', ')}`)
if (values.write && positionals.length > 0) stop('--write takes whole sections: leave out the names of cases')
// An exit ends what was started; a signal alone would not.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1))

async function run(section: Section): Promise<readonly Row[]> {
  const all: Row[] = []
  for await (const rows of section.measure(options)) {
    console.log(forTerminal(gridOf(section, rows)))
    all.push(...rows)
  }
  return all
}

function keptOf(major: number): Kept {
  const all = sections.flatMap((section) => {
    const result = kept(section, major)
    return result === undefined ? [] : [{ section, result }]
  })
  return { major, all }
}

function writePage(): void {
  const all = keptMajors().map(keptOf)
  const underNode = all.map(rowsOf)
  const docs = new URL('../../docs/', import.meta.url)
  writeFileSync(new URL('performance.md', docs), page(all))
  writeFileSync(new URL('performance.svg', docs), chart(underNode[0]?.rows.decisions ?? []))
  console.log(forTerminal({ task: 'Targets', note: undefined, ...targetTable(underNode) }))
  console.log('\nWritten: docs/performance.md, docs/performance.svg')
}

async function measureAll(): Promise<void> {
  let measured = 0
  for (const section of picked) {
    console.log(`\n${section.title.toUpperCase()}`)
    const rows = await run(section)
    measured += rows.length
    if (values.write) keep(section, resultOf(rows, options))
  }
  if (measured === 0)
    stop(`No case of ${picked.map(({ id }) => id).join(', ')} starts with ${positionals.join(' or ')}`)
}

if (!values.page) await measureAll()
if (values.write || values.page) writePage()
process.exit()
