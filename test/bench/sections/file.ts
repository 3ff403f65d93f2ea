import { type FileFigures, type FileJob, PACES, WRITERS } from '../cases/files.js'
import { askFreshProcess } from '../processes.js'
import { isWanted, type Row, type Section } from '../row.js'
import { median } from '../statistics.js'

/** Each takes seconds, and they differ little. */
const MOST_PROCESSES = 3

/** The median of several fresh processes; of what was lost, the most. */
async function figuresOf(job: FileJob, processes: number): Promise<Row['figures']> {
  const all: FileFigures[] = []
  for (let index = 0; index < processes; index += 1) all.push(await askFreshProcess('./file-child.ts', job))
  return {
    perSecond: median(all.map(({ perSecond }) => perSecond)),
    micros: median(all.map(({ micros }) => micros)),
    lost: Math.max(...all.map(({ lost }) => lost)),
    refused: Math.max(...all.map(({ refused }) => refused)),
  }
}

export const file: Section = {
  id: 'file',
  title: 'Audit events into a file',
  isBeside: true,
  about: `Events of one process into a file of its own, with its lines counted afterwards: 100,000 as fast as it emits them, a hundred in
each turn of the event loop, and 100,000 in each of two seconds. \`jsonl\` chains its lines by SHA-256; a *required* one tells each gate
that its event is in the file. \`pino.destination\` writes the same JSON without a chain, in pieces of 4 KiB or each line at once.
*Lost*: emitted, and not in the file. *Refused*: a required sink said that it did not take it, and a gate would answer 503.`,
  columns: [
    { key: 'perSecond', title: 'events per second' },
    { key: 'micros', title: 'µs of CPU each' },
    { key: 'lost', title: 'lost' },
    { key: 'refused', title: 'refused' },
  ],
  compared: 'micros',
  async *measure(options) {
    for (const pace of PACES) {
      const id = pace === PACES[0] ? 'file-loop' : 'file-paced'
      if (!isWanted(options, id)) continue
      const rows: Row[] = []
      for (const writer of WRITERS) {
        const figures = await figuresOf({ writer, pace }, Math.min(MOST_PROCESSES, options.processes))
        rows.push({ id, task: `Audit events, ${pace}`, name: writer, isOurs: writer.startsWith('jsonl'), figures })
      }
      yield rows
    }
  },
}
