// `npm run bench`: what each gate and its peers add to a request, in µs of CPU.
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import type { Case } from './case.js'
import { allCases, growthCases, tableCases } from './cases/index.js'
import { EMPTY, type ProcessResult, type Settings } from './measure.js'
import { chart, markdown, type Row, rowsOf, table } from './report.js'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    processes: { type: 'string', default: '5' },
    rounds: { type: 'string', default: '15' },
    growth: { type: 'boolean', default: false },
    write: { type: 'boolean', default: false },
  },
})

const picked = values.growth ? growthCases : tableCases
const cases =
  positionals.length === 0 ? picked : allCases.filter(({ id }) => positionals.some((one) => id.startsWith(one)))
if (cases.length === 0) {
  console.error(
    `No case starts with ${positionals.join(' or ')}. The cases: ${allCases.map(({ id }) => id).join(', ')}`,
  )
  process.exit(2)
}

/** Each process may settle in a lucky or an unlucky state, so every case runs in several fresh ones. */
async function measureInFreshProcess(one: Case, settings: Settings): Promise<ProcessResult> {
  const child = fork(fileURLToPath(new URL('./child.ts', import.meta.url)), {
    execArgv: ['--expose-gc', '--no-warnings', '--import', 'tsx'],
  })
  const exited = once(child, 'exit').then(([code]) => {
    throw new Error(`the process that measured ${one.id} ended with ${code}`)
  })
  exited.catch(() => undefined)
  child.send({ id: one.id, settings })
  const [result] = (await Promise.race([once(child, 'message'), exited])) as [ProcessResult]
  await exited.catch(() => undefined)
  return result
}

const rows: Row[] = []
for (const one of cases) {
  const settings = { rounds: Number(values.rounds), isSynchronous: false }
  const results: ProcessResult[] = []
  const inOneTick: ProcessResult[] = []
  for (let index = 0; index < Number(values.processes); index += 1) {
    results.push(await measureInFreshProcess(one, settings))
    inOneTick.push(await measureInFreshProcess(one, { ...settings, isSynchronous: true }))
  }
  const fresh = rowsOf(one, results, inOneTick, EMPTY)
  rows.push(...fresh)
  console.log(`\n${one.title}\n${table(fresh)}`)
}

if (values.write) {
  const docs = new URL('../../docs/', import.meta.url)
  writeFileSync(new URL('performance.md', docs), markdown(rows, Number(values.processes)))
  writeFileSync(new URL('performance.svg', docs), chart(rows))
  console.log('\nWritten: docs/performance.md, docs/performance.svg')
}
