import type { Setup } from '../case.js'

export const MEMORY_SIZES = [100, 10_000, 100_000, 1_000_000]
export const REDIS_SIZES = [100, 100_000]

/** "10,000 live". */
const sizeOf = (count: number, of: string) => `${count.toLocaleString('en')} ${of}`

/**
 * The same variants at several sizes, all in one process: they share one heap, so the garbage collector treats them
 * alike, and what is left is what the number of records itself costs. The peer at the same size shows what of that is the
 * memory's: a record among a million is in no cache of the CPU.
 */
export async function atSizes(
  counts: readonly number[],
  of: string,
  setup: (count: number) => Promise<Setup>,
): Promise<Setup> {
  const setups: { readonly size: string; readonly made: Setup }[] = []
  for (const count of counts) setups.push({ size: sizeOf(count, of), made: await setup(count) })
  return {
    variants: setups.flatMap(({ size, made }) => made.variants.map((variant) => ({ ...variant, size }))),
    close: async () => {
      for (const { made } of setups) await made.close()
    },
  }
}

export const live = (counts: readonly number[], setup: (count: number) => Promise<Setup>): Promise<Setup> =>
  atSizes(counts, 'live', setup)
