import { keptRecords } from '../cases/memory.js'
import { askFreshProcess } from '../processes.js'
import { isWanted, type Section } from '../row.js'

export const memory: Section = {
  id: 'memory',
  title: 'Memory',
  about: `Bytes that one live record keeps reachable in the heap, in a fresh process for each: how much the heap has grown, after a
collection, when so many had been made. A table that holds them doubles now and then, so the figure of another number may
differ.`,
  columns: [
    { key: 'count', title: 'records' },
    { key: 'bytes', title: 'bytes a record' },
  ],
  compared: 'bytes',
  async *measure(options) {
    for (const task of new Set(keptRecords.map((kept) => kept.task))) {
      const id = `bytes-${task.toLowerCase().replaceAll(' ', '-')}`
      if (!isWanted(options, id)) continue
      const rows = []
      for (const [index, { name, isOurs, count, ...kept }] of keptRecords.entries()) {
        if (kept.task !== task) continue
        const bytes = await askFreshProcess<number>('./memory-child.ts', { index })
        rows.push({ id, task, name, isOurs, figures: { count, bytes } })
      }
      yield rows
    }
  },
}
