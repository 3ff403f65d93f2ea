import { readFileSync, writeFileSync } from 'node:fs'
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
  return JSON.parse(readFileSync(join(kit, 'results.json'), 'utf8')) as Results
}
