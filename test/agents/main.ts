// `npm run agents`: installs the agents and clients that people run, runs each against a scripted model and an app of ours
// in a network namespace that has the loopback interface alone, and shows what came of it. `-- NAME…` runs some of them,
// `--scenario ID` one scenario; `--kit FOLDER` installs there what is not, and keeps it and the results; `--command` takes
// configurations and credential files from the `countersign` command; `--write` writes docs/agents.md and the recording for
// the guard's test, `--page` does so without running anything.
import { spawnSync } from 'node:child_process'
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { drivers } from './drivers/index.js'
import { install, versionIn } from './install.js'
import { startModel } from './model/server.js'
import { recordingOf } from './recording.js'
import { keepResults, keptResults, withRun } from './results.js'
import { runAgent } from './run-agent.js'
import { type Run, scenarios } from './scenarios.js'
import { withTables } from './table.js'

const PAGE = new URL('../../docs/agents.md', import.meta.url)
const RECORDING = new URL('../../packages/mcp-credential/test/support/asked-for-oauth.json', import.meta.url)

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    scenario: { type: 'string', multiple: true },
    kit: { type: 'string' },
    write: { type: 'boolean', default: false },
    command: { type: 'boolean', default: false },
    page: { type: 'boolean', default: false },
    inside: { type: 'boolean', default: false },
    verbose: { type: 'boolean', default: false },
  },
})
const picked = positionals.length === 0 ? drivers : drivers.filter(({ name }) => positionals.includes(name))
const played = scenarios.filter(({ id }) => values.scenario?.includes(id) ?? true)

/** Runs this very file where nothing but the loopback interface is. */
function runInside(kit: string): void {
  const self = fileURLToPath(import.meta.url)
  const words = ['--conditions=dev-source', '--import', 'tsx', self, ...process.argv.slice(2), '--inside', '--kit', kit]
  const done = spawnSync(
    'unshare',
    ['--map-root-user', '--net', 'sh', '-c', 'ip link set lo up && exec "$0" "$@"', process.execPath, ...words],
    { stdio: 'inherit' },
  )
  if (done.status !== 0) throw new Error(`the run in a network namespace ended with ${done.status ?? done.error}`)
}

async function runAll(kit: string): Promise<void> {
  const model = await startModel()
  for (const driver of picked) {
    for (const scenario of played) {
      const run = await runAgent(driver, scenario, { kit, model, byCommand: values.command })
      tell(`${driver.name}, ${scenario.id}`, run)
      const version = versionIn(kit, driver.packages[0])
      keepResults(kit, withRun(keptResults(kit), driver.name, version, scenario.id, run))
    }
  }
  await model.close()
}

function tell(title: string, { results, ended, asked, output }: Run): void {
  console.log(`${title}: ended ${ended}`)
  for (const text of results) console.log(`  the model reads: ${text.replace(/\s+/g, ' ').slice(0, 300)}`)
  for (const { method, path, rpc, status } of asked) console.log(`    ${method} ${path} ${rpc} ${status}`)
  if (values.verbose) console.log(output.slice(-3000))
}

/** The page for people, and what the guard's test asks again. */
function writeResults(kit: string): void {
  const results = keptResults(kit)
  const missing = drivers.flatMap(({ name }) =>
    scenarios.filter(({ id }) => results[name]?.runs[id] === undefined).map(({ id }) => `${name}, ${id}`),
  )
  // The page is of whole tables: `--kit` keeps what was run before.
  if (missing.length > 0) throw new Error(`the page is not written, these were not run: ${missing.join('; ')}`)
  writeFileSync(PAGE, withTables(readFileSync(PAGE, 'utf8'), results, drivers, scenarios))
  writeFileSync(RECORDING, `${JSON.stringify(recordingOf(results), undefined, 2)}\n`)
  spawnSync('npx', ['biome', 'format', '--write', fileURLToPath(RECORDING)], { stdio: 'inherit' })
}

if (values.inside) {
  await runAll(values.kit as string)
} else {
  const kit = install(picked, values.kit)
  try {
    if (!values.page) runInside(kit)
    if (values.write || values.page) writeResults(kit)
  } finally {
    if (values.kit === undefined) rmSync(kit, { recursive: true, force: true })
  }
}
