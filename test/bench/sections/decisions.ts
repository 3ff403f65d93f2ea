import { decisionCases, growthCases } from '../cases/index.js'
import type { Row, Section } from '../row.js'
import { measureInProcess } from './in-process.js'

const columns = [
  { key: 'added', title: 'µs added' },
  { key: 'inOneTick', title: 'in one tick' },
]
const note = (rows: readonly Row[]) => {
  const { noise = Number.NaN, noiseInOneTick = Number.NaN } = rows[0]?.figures ?? {}
  return `Noise: ${noise.toFixed(2)} µs, in one tick ${noiseInOneTick.toFixed(2)} µs.`
}

export const decisions: Section = {
  id: 'decisions',
  title: 'Decisions',
  about: `What each middleware adds to a request that it lets in, in µs of CPU with all threads counted: the difference from an
empty middleware, the median over the rounds of a process and then over the processes. Requests have Express's own prototypes
and header strings decoded afresh from bytes; 16 are in flight; the variants take turns in random order, so what else the
machine does meets all alike. What comes again has been seen before measuring begins. *In one tick*: the same without
anything in flight, for those that decide without a promise. *Noise*: how far two empty middlewares differ; nothing below it
is claimed.`,
  columns,
  compared: 'added',
  note,
  measure: (options) => measureInProcess(decisionCases, options),
}

export const growth: Section = {
  id: 'growth',
  title: 'How the cost grows',
  about: `The same measurement among ever more records, keys and bytes. The sizes of one table lie in one process and take turns, so
they share one heap and the garbage collector's work is the same for all of them; what remains is what the number itself
costs. Records are presented in a shuffled order. A record among a million is in no cache of the CPU, whoever keeps it: the
peer, a \`Map\` or an object, pays for that too, and its column says how much. *To the smallest* is the cost at a size divided by
the cost at the first one.`,
  columns,
  compared: 'added',
  note,
  measure: (options) => measureInProcess(growthCases, options),
}
