import { setImmediate as tick } from 'node:timers/promises'

const AT_ONCE = 200

/**
 * Makes so many of something, a batch at a time: no store's deadline runs out while it waits in a queue, and between two
 * batches the process hears when its parent has gone.
 */
export async function inBatches<T>(count: number, make: (index: number) => Promise<T>): Promise<T[]> {
  const made: T[] = []
  for (let start = 0; start < count; start += AT_ONCE) {
    await tick()
    const size = Math.min(AT_ONCE, count - start)
    made.push(...(await Promise.all(Array.from({ length: size }, (_, index) => make(start + index)))))
  }
  return made
}
