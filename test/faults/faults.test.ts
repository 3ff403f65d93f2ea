import { afterAll, describe, expect, test } from '@jest/globals'
import { isLong } from '../support/run-length.js'
import { FAULTS } from './faults.js'
import { GATES, markdown, type Tally } from './tally.js'
import { Traffic } from './traffic.js'
import { type Place, pause, startWorld, type World } from './world.js'

const FAULT_MS = isLong ? 8000 : 2000
const faults = FAULTS.filter(({ isShort }) => isLong || isShort)

const rows: [string, Tally][] = []
const worlds = new Map<Place, Promise<World>>()
afterAll(async () => {
  for (const world of worlds.values()) await (await world).close()
  console.log(markdown(rows))
})

/** One for each place: what a fault leaves behind is there at the next one. */
function worldOf(place: Place): Promise<World> {
  const world = worlds.get(place) ?? startWorld(place)
  worlds.set(place, world)
  return world
}

const lasts = (_world: World, ms: number) => pause(ms)

describe('[redis-faults] under', () => {
  test.each(faults.map((fault) => [fault.name, fault] as const))(
    '%s honest requests are 200 or 503, nothing takes effect late or twice, and the gates grant again without a restart',
    async (name, { place, refusals, losesReplies, begin, during, end }) => {
      const world = await worldOf(place)
      const traffic = new Traffic(world)
      const { tally } = traffic
      rows.push([name, tally])
      await traffic.start()
      await begin?.(world)
      const fromMs = performance.now()
      await Promise.all([traffic.endSpares(), (during ?? lasts)(world, FAULT_MS)])
      const toMs = performance.now()
      await end?.(world)
      await traffic.untilAllGrant()
      await traffic.finish(losesReplies ? undefined : { fromMs, toMs })
      for (const gate of GATES) {
        const { denied, other, late, twice } = tally[gate]
        expect({ gate, denied, other, late, twice }).toEqual({ gate, denied: 0, other: 0, late: 0, twice: 0 })
      }
      const unavailable = GATES.reduce((sum, gate) => sum + tally[gate].unavailable, 0)
      if (refusals === 'some') expect(unavailable).toBeGreaterThan(10)
      if (refusals === 'none') expect(unavailable).toBe(0)
      for (const gate of ['hmac', 'mcp', 'settings'] as const) expect(tally[gate].refused).toBeGreaterThan(0)
    },
    120_000,
  )
})
