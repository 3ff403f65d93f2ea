import { ServerClock } from '@countersign/core/gate-kit'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { RedisServer } from '../../../test/support/redis-server.js'
import { createScriptRunner, defineScript, keyTag, partitionTags } from '../src/store.js'
import { client, disconnectAll } from './harness.js'

let server: RedisServer
beforeAll(async () => {
  server = await RedisServer.start()
})
afterAll(async () => {
  disconnectAll()
  await server.stop()
})

const patient = { commandTimeoutMs: 10_000 }
const TAG = keyTag('cs', 'tests')
const KEY = `${TAG}:a`

describe('a script', () => {
  test('[redis-script-names] is called by a name that carries its hash, so two versions on one client both work', async () => {
    const redis = client(server.url)
    const [one, two] = [defineScript('answer', 1, 'return 1'), defineScript('answer', 1, 'return 2')]
    const runner = createScriptRunner(redis, 'tests', 'test_store', patient)
    const answers = []
    for (const script of [one, two, one, two]) answers.push(await runner.run(script, TAG, [KEY], []))
    expect(answers).toEqual([1, 2, 1, 2])
    const names = Object.keys(redis).filter((name) => /^countersign_answer_.*(?<!Buffer)$/.test(name))
    expect(names).toEqual([
      expect.stringMatching(/^countersign_answer_[0-9a-f]{16}$/),
      expect.stringMatching(/^countersign_answer_[0-9a-f]{16}$/),
    ])
    expect(names[0]).not.toBe(names[1])
  })

  test('sees its keys, its own arguments alone, and the time of the server', async () => {
    const runner = createScriptRunner(client(server.url), 'tests', 'test_store', patient)
    const echo = defineScript('echo', 2, 'return {KEYS[1], KEYS[2], #ARGV, ARGV[1], ARGV[2], tostring(now)}')
    const keys = [`${TAG}:a`, `${TAG}:b`]
    const answer = (await runner.run(echo, TAG, keys, ['x', 7])) as unknown[]
    expect(answer.slice(0, 5)).toEqual([`${TAG}:a`, `${TAG}:b`, 2, 'x', '7'])
    const [seconds] = (await server.command('TIME')) as [string, string]
    expect(Math.abs(Number(answer[5]) / 1000 - Number(seconds))).toBeLessThan(5)
  })

  test.each([
    ['return nil', null],
    ['return false', null],
    ['return true', 1],
    ['return 0', 0],
    ["return 'text'", 'text'],
    ['return {}', []],
    ['return {1, {2, 3}}', [1, [2, 3]]],
    ['local x = 1', null],
  ])('answers %j with %j', async (body, expected) => {
    const runner = createScriptRunner(client(server.url), 'tests', 'test_store', patient)
    expect(await runner.run(defineScript('shape', 1, body), TAG, [KEY], [])).toEqual(expected)
  })

  test('[redis-server-error] that fails is unavailable, never an answer', async () => {
    const runner = createScriptRunner(client(server.url), 'tests', 'test_store', patient)
    for (const body of ["return redis.call('NO-SUCH-COMMAND')", "error('bug')", "return redis.call('INCR', KEYS[1])"]) {
      await server.command('SET', KEY, 'text')
      await expect(runner.run(defineScript('broken', 1, body), TAG, [KEY], [])).rejects.toMatchObject({
        name: 'UnavailableError',
        dependency: 'test_store',
      })
    }
  })
})

describe('keys', () => {
  test('[redis-key-tags] of one tag lie in one slot of a cluster: the first braces are what counts', () => {
    expect(keyTag('cs', 'replay', 3)).toBe('{cs:replay:3}')
    for (const name of ['a', 'b', 'c{x}', '{y}d']) {
      expect(/\{([^}]+)\}/.exec(`${keyTag('cs', 'x')}:${name}`)?.[1]).toBe('cs:x')
    }
  })
})

test.each([['cs'], ['another.namespace_of-an-app:1']])(
  "[redis-key-tags] the partitions of each store are spread evenly over a cluster's masters (%s)",
  async (namespace) => {
    const cluster = await RedisServer.start('--cluster-enabled', 'yes')
    try {
      for (const store of ['mcp', 'settings', 'replay']) {
        const tags = partitionTags(namespace, store)
        expect(new Set(tags).size).toBe(16)
        const slots = await Promise.all(
          tags.map(async (tag) => Number(await cluster.command('CLUSTER', 'KEYSLOT', tag))),
        )
        for (const [masters, most] of [
          [16, 1],
          [8, 2],
          [6, 3],
          [5, 4],
          [4, 4],
          [3, 6],
          [2, 8],
        ] as const) {
          const shares = new Map<number, number>()
          for (const slot of slots) {
            const master = Math.floor((slot * masters) / 16_384)
            shares.set(master, (shares.get(master) ?? 0) + 1)
          }
          expect(shares.size).toBe(masters)
          expect(Math.max(...shares.values())).toBe(most)
        }
      }
    } finally {
      await cluster.stop()
    }
  },
)

describe("what is known of the server's clock", () => {
  test('[redis-server-clock] is never later than the server, whatever the network and the clocks do', () => {
    const exchange = fc.record({
      pause: fc.integer({ min: 0, max: 5_000 }),
      there: fc.integer({ min: 0, max: 400 }),
      back: fc.integer({ min: 0, max: 400 }),
      /** Milliseconds that the server's clock is put forward, or back. */
      step: fc.oneof({ weight: 5, arbitrary: fc.constant(0) }, fc.integer({ min: -5_000, max: 5_000 })),
    })
    fc.assert(
      fc.property(fc.array(exchange, { minLength: 1, maxLength: 30 }), (exchanges) => {
        const clock = new ServerClock()
        let local = 1_000
        let offset = 1_700_000_000_000
        for (const { pause, there, back, step } of exchanges) {
          local += pause
          offset += step
          const sent = local
          const read = offset + local + there
          local += there + back
          clock.learn(read, sent, local)
          // An upper bound one round trip wide, plus the millisecond that the server cuts off.
          expect(clock.at(local)).toBeLessThanOrEqual(offset + local + there + back + 1)
          // And with clocks that run evenly, never later at all.
          if (exchanges.every((one) => one.step === 0)) expect(clock.at(local)).toBeLessThanOrEqual(offset + local)
        }
      }),
    )
  })

  test('[redis-server-clock] keeps its tightest bound, and is forgotten with the connection', () => {
    const clock = new ServerClock()
    expect(clock.isKnown).toBe(false)
    expect(() => clock.at(0)).toThrow('not read yet')
    clock.learn(10_000, 0, 100)
    expect(clock.at(100)).toBe(10_000)
    clock.learn(10_150, 110, 112)
    expect(clock.at(112)).toBe(10_150)
    clock.learn(10_200, 120, 400)
    expect(clock.at(400)).toBe(10_438)
    clock.forget()
    expect(clock.isKnown).toBe(false)
  })
})
