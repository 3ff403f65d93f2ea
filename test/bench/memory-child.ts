// One process of the memory rig: how much the heap grows with the records of one kind.
import { setTimeout as delay } from 'node:timers/promises'
import { keptRecords } from './cases/memory.js'
import { answerWith } from './processes.js'

/** Bytes that are reachable. Twice, and later: what waits for finalisation goes with the second. */
async function reachable(): Promise<number> {
  for (let time = 0; time < 3; time += 1) {
    global.gc?.()
    await delay(50)
  }
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

answerWith(async ({ index }: { index: number }) => {
  const kept = keptRecords[index]
  if (kept === undefined) throw new Error(`there is no kind of record ${index}`)
  // What the code itself takes is there before it is counted.
  const few = await kept.build(1000)
  const before = await reachable()
  const many = await kept.build(kept.count)
  const bytes = (await reachable()) - before
  return [few, many].includes(undefined) ? Number.NaN : bytes / kept.count
})
