/** Milliseconds of CPU that this process took for `work`: what other processes do meanwhile does not count. */
export function cpuMs(work: () => unknown): number {
  const before = process.cpuUsage()
  work()
  return cpuMsSince(before)
}

/** The same from a moment on, which `process.cpuUsage()` tells. */
export function cpuMsSince(before: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(before)
  return (user + system) / 1000
}

/**
 * The least CPU that each work took in some rounds, in ms. They take turns, so a busy time of the machine, which also
 * empties caches and slows the clock, meets them all; what it adds is in no least.
 */
export async function leastCpuMs<Name extends string>(
  works: Readonly<Record<Name, () => unknown>>,
  rounds = 5,
): Promise<Record<Name, number>> {
  const least = {} as Record<Name, number>
  for (let round = 0; round < rounds; round += 1) {
    for (const [name, work] of Object.entries(works) as [Name, () => unknown][]) {
      const before = process.cpuUsage()
      await work()
      least[name] = Math.min(least[name] ?? Number.POSITIVE_INFINITY, cpuMsSince(before))
    }
  }
  return least
}
