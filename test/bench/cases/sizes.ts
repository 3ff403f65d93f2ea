import type { Setup } from '../case.js'

export const MEMORY_SIZES = [100, 10_000, 100_000, 1_000_000]
/** To make a million takes minutes: none between. */
export const REDIS_SIZES = [100, 1_000_000]

/** "1 key", "16 keys". */
export const counted = (of: string) => (count: number) => `${count.toLocaleString('en')} ${of}${count === 1 ? '' : 's'}`

/**
 * The same variants at several sizes, all in one process: they share one heap, so the garbage collector treats them
 * alike, and what is left is what the number of records itself costs. The peer at the same size shows what of that is the
 * memory's: a record among a million is in no cache of the CPU.
 */
export async function atSizes(
  counts: readonly number[],
  sizeOf: (count: number) => string,
  setup: (count: number) => Promise<Setup>,
): Promise<Setup> {
  const made: { readonly size: string; readonly setup: Setup }[] = []
  for (const count of counts) made.push({ size: sizeOf(count), setup: await setup(count) })
  return {
    variants: made.flatMap(({ size, setup }) => setup.variants.map((variant) => ({ ...variant, size }))),
    close: async () => {
      for (const { setup } of made) await setup.close()
    },
  }
}

const liveOf = (count: number) => `${count.toLocaleString('en')} live`

/** Marks a second one of ours at the smallest size: how far the two differ is what a difference of sizes must exceed. */
export const AGAIN = ', again'

export async function live(counts: readonly number[], setup: (count: number) => Promise<Setup>): Promise<Setup> {
  const [fewest = 0] = counts
  const again = await atSizes([fewest], (count) => `${liveOf(count)}${AGAIN}`, setup)
  const all = await atSizes(counts, liveOf, setup)
  return {
    variants: [...all.variants, ...again.variants.filter(({ isOurs }) => isOurs)],
    close: async () => {
      await again.close()
      await all.close()
    },
  }
}
