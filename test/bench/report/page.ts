import { existsSync, readFileSync } from 'node:fs'
import type { Section } from '../row.js'
import { peerVersions, type Result } from './results.js'
import { forPage, gridsOf } from './table.js'
import { TARGET_HEAD, targetLines } from './targets.js'

export interface Measured {
  readonly section: Section
  readonly result: Result
}

export const rowsBySection = (all: readonly Measured[]) =>
  Object.fromEntries(all.map(({ section, result }) => [section.id, result.rows]))

/** What people have to say of the targets: written by hand, in `notes.md`, where there is something to say. */
function notes(): string {
  const file = new URL('../notes.md', import.meta.url)
  return existsSync(file) ? `${readFileSync(file, 'utf8').trim()}\n\n` : ''
}

/** `docs/performance.md`. */
export function page(all: readonly Measured[]): string {
  const targets = { task: '', head: TARGET_HEAD, lines: targetLines(rowsBySection(all)), note: undefined }
  return `# Performance

What the gates cost, beside what their peers cost, measured by \`npm run bench -- --all --write\`, which makes this page. Ours runs with
replay protection and an audit sink on. Absolute figures depend on the machine; figures of one table are from one run and may be
compared, figures of two may not.

Peers: ${peerVersions().join(', ')}.

## Targets

Of several cases that a target is about the worst counts, and is named. *Figure* is with 16 requests in flight.

${forPage(targets)}
${notes()}![What ours costs, divided by what each peer costs](performance.svg)

${all.map(chapter).join('\n')}`
}

function chapter({ section, result }: Measured): string {
  const { measuredOn, machine, node, redis, processes, rounds, rows } = result
  const repeat = `npm run bench -- --section ${section.id} --write`
  return `## ${section.title}

${section.about}

Measured on ${measuredOn}: ${machine}, Node.js ${node}, Redis ${redis}; ${processes} processes, ${rounds} rounds. Again: \`${repeat}\`.

${gridsOf(section, rows).map(forPage).join('\n')}`
}
