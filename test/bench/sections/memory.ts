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
      const all = Array.from(keptRecords.entries()).filter(([, kept]) => kept.task === task)
      // At once: bytes are the same however busy the machine is.
      yield await Promise.all(
        all.map(async ([index, { name, isOurs, count }]) => {
          const bytes = await askFreshProcess<number>('./memory-child.ts', { index })
          return { id, task, name, isOurs, figures: { count, bytes } }
        }),
      )
    }
  },
}
