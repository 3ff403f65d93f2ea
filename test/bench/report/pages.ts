import { writeFileSync } from 'node:fs'
import { capacity } from './capacity.js'
import { chart } from './chart.js'
import { details } from './details.js'
import { everythingKept } from './kept.js'
import { summary } from './summary.js'

/** Writes the pages of what is kept, and returns their names. Throws when that is of two builds. */
export function writePages(): readonly string[] {
  const { build, nodes } = everythingKept()
  const [{ rows }] = nodes
  const pages = {
    'docs/performance.md': summary(build, nodes),
    'docs/performance.svg': chart(rows),
    'docs/performance-details.md': details(build, nodes),
    'docs/operations/capacity.md': capacity(build, nodes[0]),
  }
  for (const [path, content] of Object.entries(pages)) {
    writeFileSync(new URL(`../../../${path}`, import.meta.url), content)
  }
  return Object.keys(pages)
}
