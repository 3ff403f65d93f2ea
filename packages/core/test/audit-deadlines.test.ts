import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { afterEach, expect, jest, test } from '@jest/globals'
import { Deadlines } from '../src/audit/deadlines.js'

const MS = 20

afterEach(() => {
  jest.restoreAllMocks()
})

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise(setImmediate)
}

/** Nothing else happens in the process meanwhile. */
function stall(ms: number): void {
  const begun = performance.now()
  while (performance.now() - begun < ms);
}

test('what does not end in time is given up, in its order, and once', async () => {
  const deadlines = new Deadlines(MS)
  const given: [string, number][] = []
  const begun = performance.now()
  const first = deadlines.begin(() => given.push(['first', performance.now() - begun]))
  const ended = deadlines.begin(() => given.push(['ended', 0]))
  deadlines.end(ended)
  expect([first.isOver, ended.isOver]).toEqual([false, true])
  await until(() => performance.now() - begun > MS / 2)
  const secondBegun = performance.now() - begun
  deadlines.begin(() => given.push(['second', performance.now() - begun - secondBegun]))
  await until(() => given.length === 2)
  expect(given.map(([name]) => name)).toEqual(['first', 'second'])
  // Timers may be early by less than one millisecond.
  for (const [, ms] of given) expect(ms).toBeGreaterThan(MS - 1)
  expect(first.isOver).toBe(true)
  deadlines.end(first)
  // It takes more after that.
  deadlines.begin(() => given.push(['third', 0]))
  await until(() => given.length === 3)
})

test('all that is open has one timer, and what has ended has none', async () => {
  const set = jest.spyOn(globalThis, 'setTimeout')
  const clear = jest.spyOn(globalThis, 'clearTimeout')
  const deadlines = new Deadlines(MS)
  const giveUp = jest.fn()
  const open = Array.from({ length: 5 }, () => deadlines.begin(giveUp))
  expect(set.mock.calls.filter(([, ms]) => ms === MS)).toHaveLength(1)
  for (const one of open.slice(1)) deadlines.end(one)
  // Ended twice, it is not counted for another one.
  deadlines.end(open[1] as (typeof open)[0])
  expect(clear).not.toHaveBeenCalled()
  deadlines.end(open[0] as (typeof open)[0])
  expect(clear.mock.calls[0]?.[0]).toBe(set.mock.results[0]?.value)
  deadlines.begin(giveUp)
  expect(set.mock.calls.filter(([, ms]) => ms === MS)).toHaveLength(2)
  await until(() => giveUp.mock.calls.length > 0)
  stall(MS)
  await new Promise(setImmediate)
  expect(giveUp).toHaveBeenCalledTimes(1)
})

test('one that gives up may begin another', async () => {
  const deadlines = new Deadlines(MS)
  const given: string[] = []
  deadlines.begin(() => {
    given.push('first')
    deadlines.begin(() => given.push('third'))
  })
  stall(2)
  deadlines.begin(() => given.push('second'))
  await until(() => given.length === 3)
  expect(given).toEqual(['first', 'second', 'third'])
})

test('what was answered while the process stood still is in time, and what is begun then waits as long as any', async () => {
  const server = createServer()
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const client = connect((server.address() as AddressInfo).port, '127.0.0.1')
  const [[peer]] = (await Promise.all([once(server, 'connection'), once(client, 'connect')])) as [[Socket], unknown]
  const deadlines = new Deadlines(MS)
  const given: string[] = []
  const answered = deadlines.begin(() => given.push('answered'))
  deadlines.begin(() => given.push('silent'))
  let begun = Number.POSITIVE_INFINITY
  client.once('data', () => {
    deadlines.end(answered)
    begun = performance.now()
    deadlines.begin(() => given.push('later'))
  })
  // The answer is in the socket before the time is over, and the process reads it after that.
  peer.write('answer')
  stall(2 * MS)
  await until(() => given.length === 2)
  expect(performance.now() - begun).toBeGreaterThan(MS - 1)
  expect(given).toEqual(['silent', 'later'])
  client.destroy()
  await once(server.close(), 'close')
})
