import { expect, test } from '@jest/globals'
import { isLong } from '../support/run-length.js'
import { type Fault, KILLED, STOPPED } from './faults.js'
import { GATES } from './tally.js'
import { Traffic } from './traffic.js'
import { type Measured, measure, pause, startWorld, type World } from './world.js'

/** Two minutes; 12 s in every run. */
const SAMPLES = 12
const SAMPLE_MS = isLong ? 10_000 : 1000
/** Measurements before the outage: the first ones are of code that is being compiled. */
const WARM_UP = 4
/** Of a few thousand refused requests, in two minutes of more than ten thousand: less than 200 bytes each. */
const HEAP_SLACK_BYTES = 2 * 1024 ** 2
/** What the lag may always be: an idle process has 11 ms by this measure, and one on a busy machine more. */
const LAG_MS = 50

const outages = (isLong ? [STOPPED, KILLED] : [STOPPED]).map((fault): [string, Fault] => [fault.name, fault])

test.each(outages)(
  '[redis-flat-outage] after %s under steady load, the lag of the event loop and the memory of the app stay flat',
  async (name, { begin, end }) => {
    const world = await startWorld('server')
    try {
      // Each operation is another one: what the app kept of each that it refused would grow.
      const traffic = new Traffic(world, false)
      await traffic.start()
      const before = await samples(world, WARM_UP)
      await begin?.(world)
      const refused = () => GATES.reduce((sum, gate) => sum + traffic.tally[gate].unavailable, 0)
      const refusedBefore = refused()
      const during = await samples(world, SAMPLES)
      const count = refused() - refusedBefore
      await end?.(world)
      await traffic.untilAllGrant()
      await traffic.finish()
      console.log(`${name}: ${count} × 503 in ${(SAMPLES * SAMPLE_MS) / 1000} s\n${table(before, during)}`)

      expect(count).toBeGreaterThan(SAMPLES * 10)
      const [first, last] = [during.slice(0, SAMPLES / 3), during.slice(-SAMPLES / 3)]
      expect(heapOf(last)).toBeLessThan(heapOf(first) + HEAP_SLACK_BYTES)
      expect(lagOf(last)).toBeLessThan(Math.max(LAG_MS, 2 * lagOf(before)))
    } finally {
      await world.close()
    }
  },
  300_000,
)

async function samples(world: World, count: number): Promise<Measured[]> {
  const list: Measured[] = []
  while (list.length < count) {
    await pause(SAMPLE_MS)
    list.push(await measure(world))
  }
  return list
}

const heapOf = (list: readonly Measured[]) => Math.max(...list.map(({ heapBytes }) => heapBytes))

/** In the quietest sample: what else the machine does makes the others longer, and a lag that has grown makes all longer. */
const lagOf = (list: readonly Measured[]) => Math.min(...list.map(({ lagMs }) => lagMs.p99))

function table(before: readonly Measured[], during: readonly Measured[]): string {
  const lines = [...before, ...during].map(({ lagMs, heapBytes }, index) => {
    const seconds = ((index + 1 - before.length) * SAMPLE_MS) / 1000
    return `| ${seconds} | ${lagMs.p99.toFixed(0)} | ${lagMs.max.toFixed(0)} | ${(heapBytes / 1024 ** 2).toFixed(1)} |`
  })
  return ['| second | lag, p99 (ms) | lag, longest (ms) | heap (MiB) |', '|---:|---:|---:|---:|', ...lines].join('\n')
}
