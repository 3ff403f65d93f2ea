import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Run } from './scenarios.js'

/** What the runs of one agent came to, by scenario. */
export interface Result {
  readonly version: string
  readonly runs: Readonly<Record<string, Run>>
}

/** By the agent's name. */
export type Results = Readonly<Record<string, Result>>

/** Between the process in the namespace and the one that writes the page. */
export function keepResults(kit: string, results: Results): void {
  writeFileSync(join(kit, 'results.json'), JSON.stringify(results))
}

export function keptResults(kit: string): Results {
  const file = join(kit, 'results.json')
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as Results) : {}
}

/** With one more run. What another version did no longer counts. */
export function withRun(results: Results, name: string, version: string, scenario: string, run: Run): Results {
  const known = results[name]
  const runs = known?.version === version ? known.runs : {}
  return { ...results, [name]: { version, runs: { ...runs, [scenario]: run } } }
}
