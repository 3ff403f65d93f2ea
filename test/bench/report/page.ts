import { existsSync, readFileSync } from 'node:fs'
import type { Section } from '../row.js'
import { peerVersions, type Result } from './results.js'
import { forPage, gridsOf } from './table.js'
import { targetTable, type UnderNode } from './targets.js'

export interface Measured {
  readonly section: Section
  readonly result: Result
}

/** All that is kept of one major version of Node. */
export interface Kept {
  readonly major: number
  readonly all: readonly Measured[]
}

export function rowsOf({ major, all }: Kept): UnderNode {
  return { major, rows: Object.fromEntries(all.map(({ section, result }) => [section.id, result.rows])) }
}

/** What people have to say of the targets: written by hand, in `notes.md`, where there is something to say. */
function notes(): string {
  const file = new URL('../notes.md', import.meta.url)
  return existsSync(file) ? `${readFileSync(file, 'utf8').trim()}\n\n` : ''
}

/** `docs/performance.md`: the oldest Node whole, of the others what was measured there, too. */
export function page(kept: readonly Kept[]): string {
  const [main, ...others] = kept
  const targets = { task: '', note: undefined, ...targetTable(kept.map(rowsOf)) }
  return `# Performance

What the gates cost, beside what their peers cost, measured by \`npm run bench -- --all --write\`, which makes this page. Ours runs with
replay protection and an audit sink on. Absolute figures depend on the machine; figures of one table are from one run and may be
compared, figures of two may not.

Peers: ${peerVersions().join(', ')}.

## Targets

Of several cases that a target is about the worst counts, and is named. *Figure* is with 16 requests in flight, on Node ${main?.major}.

${forPage(targets)}
${notes()}![What ours costs, divided by what each peer costs](performance.svg)

${(main?.all ?? []).map((one) => chapter(one)).join('\n')}
${others.flatMap(({ major, all }) => all.map((one) => chapter(one, `, on Node ${major}`))).join('\n')}`
}

function chapter({ section, result }: Measured, where = ''): string {
  const { measuredOn, machine, node, redis, processes, rounds, rows } = result
  const repeat = `npm run bench -- --section ${section.id} --write`
  return `## ${section.title}${where}

${where === '' ? section.about : 'As above.'}

Measured on ${measuredOn}: ${machine}, Node.js ${node}, Redis ${redis}; ${processes} processes, ${rounds} rounds. Again: \`${repeat}\`.

${gridsOf(section, rows).map(forPage).join('\n')}`
}
