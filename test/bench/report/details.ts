import type { Section } from '../row.js'
import { sections } from '../sections/index.js'
import { circumstances, type Kept } from './kept.js'
import { peerVersions, type Result } from './results.js'
import { forPage, gridsOf } from './table.js'

/** `docs/performance-details.md`: every table, of the reference first. */
export function details(build: string, [main, ...others]: readonly [Kept, ...Kept[]]): string {
  return `# Performance: every table

All of [Performance](performance.md) in detail, written by \`npm run bench -- --nodes 24,22,20 --all --write\`. Every figure of these
pages is of one build, commit \`${build}\`. Ours runs with replay protection and an audit sink on. Absolute figures depend on the
machine; figures of one table are from one run and may be compared, figures of two may not.

Peers: ${peerVersions().join(', ')}.

${sections.map((section) => chapter(section, resultOf(main, section))).join('\n')}
${others.flatMap(({ major, all }) => all.map((one) => chapter(one.section, one.result, `, on Node ${major}`))).join('\n')}`
}

const resultOf = ({ all }: Kept, section: Section): Result | undefined =>
  all.find((one) => one.section === section)?.result

function chapter(section: Section, result: Result | undefined, where = ''): string {
  const start = `## ${section.title}${where}

${where === '' ? section.about : 'As above.'}
`
  if (result === undefined) return start
  return `${start}
Measured: ${circumstances(result)}. Again: \`npm run bench -- --section ${section.id}\`.

${gridsOf(section, result.rows).map(forPage).join('\n')}`
}
