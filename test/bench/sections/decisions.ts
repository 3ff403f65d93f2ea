import { decisionCases, growthCases } from '../cases/index.js'
import { AGAIN } from '../cases/sizes.js'
import type { Row, Section } from '../row.js'
import { measureInProcess } from './in-process.js'

const columns = [
  { key: 'added', title: 'µs added' },
  { key: 'inOneTick', title: 'in one tick' },
  { key: 'redis', title: 'µs of Redis' },
]
const micros = (value = Number.NaN) => `${value.toFixed(2)} µs`

function note(rows: readonly Row[]): string {
  const [first] = rows
  const again = rows.find(({ size }) => size?.endsWith(AGAIN))?.figures.noise
  const noise = `Noise: ${micros(first?.figures.noise)}, in one tick ${micros(first?.figures.noiseInOneTick)}.`
  return again === undefined ? noise : `${noise} Two equal ones of ours: ${micros(again)}.`
}

export const decisions: Section = {
  id: 'decisions',
  title: 'Decisions',
  isBeside: true,
  about: `What each middleware adds to a request that it lets in, in µs of CPU with all threads counted: the difference from an
empty middleware, the median over the rounds of a process and then over the processes. Requests have Express's own prototypes
and header strings decoded afresh from bytes; 16 are in flight; the variants take turns in random order, so what else the
machine does meets all alike. What comes again has been seen before measuring begins. *In one tick*: the same without
anything in flight, for those that decide without a promise. *µs of Redis*: the server's own CPU a decision, by its \`INFO cpu\`
before and after each slice. *Noise*: how far two empty middlewares differ; nothing below it
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
costs. Records are presented in a shuffled order. A record among a million is in no cache of the CPU, in ours as in the peer: the
peer, a \`Map\` or an object, pays for that too, and its column says how much. *To the smallest* is the cost at a size divided by
the cost at the first one. What two equal ones of ours differ by, the smallest size made twice, is the least difference of sizes
that says anything.`,
  columns,
  compared: 'added',
  note,
  // One process: what differs between two lies far below what a million records cost, and to make them takes minutes.
  measure: (options) => measureInProcess(growthCases, { ...options, processes: 1 }),
}
