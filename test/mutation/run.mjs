// `npm run mutation -- <package> [part of a file's name]`: changes the decision paths of a package, one place at a time, and
// counts the changes that its tests notice. See CONTRIBUTING.md, "Mutation testing".
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { parseArgs } from 'node:util'
import { Stryker } from '@stryker-mutator/core'
import { root } from '../release/repository.mjs'
import { addCounts, countByFile, scoreOf, table } from './score.mjs'
import { TARGETS } from './targets.mjs'

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: { concurrency: { type: 'string', default: '1' } },
})
const [name, only = ''] = positionals
const parts = TARGETS[name]?.filter(({ sources }) => sources.some((source) => source.includes(only)))
if (parts === undefined || parts.length === 0) {
  console.error(
    `Usage: npm run mutation -- <${Object.keys(TARGETS).join(' | ')}> [part of a file's name] [--concurrency n]`,
  )
  process.exit(2)
}

process.chdir(root)
const folder = mkdtempSync(join(tmpdir(), 'countersign-mutation-'))
const files = new Map()
const below = []
for (const { sources, tests, stores = ['memory'], floor = 0 } of parts) {
  const chosen = sources.filter((source) => source.includes(only))
  process.env.MUTATION_TESTS = tests.map((test) => `packages/${name}/test/${test}.test.ts`).join(',')
  process.env.MUTATION_STORES = stores.join(',')
  const mutants = await new Stryker({
    // The packages are linked to each other, so a copy of the workspace would load the originals. The files are restored.
    inPlace: true,
    tempDirName: folder,
    mutate: chosen.map((source) => `packages/${name}/src/${source}.ts`),
    plugins: ['@stryker-mutator/vitest-runner'],
    testRunner: 'vitest',
    vitest: { configFile: 'test/mutation/vitest.config.mjs', related: false },
    coverageAnalysis: 'perTest',
    concurrency: Number(values.concurrency),
    timeoutMS: 8000,
    // tsc -b checks types: it is not in the tests' way here.
    disableTypeChecks: false,
    reporters: ['clear-text', 'html', 'progress-append-only'],
    allowConsoleColors: process.stdout.isTTY === true,
    clearTextReporter: {
      allowColor: process.stdout.isTTY === true,
      logTests: false,
      reportTests: false,
      reportScoreTable: false,
    },
    htmlReporter: { fileName: `reports/mutation/${name}/${chosen[0].replaceAll('/', '-')}.html` },
    thresholds: { break: null },
    warnings: { slow: false },
  }).runMutationTest()
  const counted = countByFile(mutants)
  const measured = [...counted].map(([file, counts]) => [relative(root, file), counts])
  for (const [file, counts] of measured) files.set(file, counts)
  console.log(table(measured))
  if (scoreOf(addCounts([...counted.values()])) < floor) below.push(`${chosen.join(', ')}: below ${floor} %`)
}
rmSync(folder, { recursive: true, force: true })

const total = addCounts([...files.values()])
console.log(table([...files, [name, total]]))
if (below.length > 0) {
  console.error(`${below.join('\n')}\nThe survivors are above, and in reports/mutation/${name}.`)
  process.exitCode = 1
}
