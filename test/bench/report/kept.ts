import { REFERENCE, type Section } from '../row.js'
import { sections } from '../sections/index.js'
import { everyResult, kept, keptMajors, oneBuild, type Result } from './results.js'
import type { AllRows, UnderNode } from './targets.js'

export interface Measured {
  readonly section: Section
  readonly result: Result
}

/** All that is kept of one major version of Node. */
export interface Kept extends UnderNode {
  readonly all: readonly Measured[]
}

/** What the pages tell: all of one build, the reference first. Before anything is kept, pages without figures. */
export function everythingKept(): { readonly build: string; readonly nodes: readonly [Kept, ...Kept[]] } {
  const [main = keptOf(REFERENCE), ...others] = keptMajors().map(keptOf)
  return { build: oneBuild(everyResult()) ?? '–', nodes: [main, ...others] }
}

function keptOf(major: number): Kept {
  const all = sections.flatMap((section) => {
    const result = kept(section, major)
    return result === undefined ? [] : [{ section, result }]
  })
  const rows: AllRows = Object.fromEntries(all.map(({ section, result }) => [section.id, result.rows]))
  return { major, all, rows }
}

/** On what something was measured. */
export function circumstances({ measuredOn, machine, node, redis, processes, rounds }: Result): string {
  return `${measuredOn}, ${machine}, Node.js ${node}, Redis ${redis}, ${processes} processes, ${rounds} rounds`
}
