import { once } from 'node:events'
import { createServer, get, type Server, type ServerResponse } from 'node:http'
import { Duplex } from 'node:stream'
import { watchConnections } from '@countersign/core/gate-kit'
import { afterEach, beforeEach, expect, jest, test } from '@jest/globals'

const OFTEN_MS = 5
const SELDOM_MS = 3_600_000

function openSocket(): Duplex {
  return new Duplex({ read: () => undefined, write: (_chunk, _encoding, done) => done() })
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 1))
}

let valid: Set<string>
let checks: string[]
beforeEach(() => {
  valid = new Set(['a', 'b'])
  checks = []
})
const isValid = (id: string): boolean => {
  checks.push(id)
  return valid.has(id)
}

test('[core-connections-end] a connection ends when what opened it is no longer valid, and no other does', async () => {
  const { watch } = watchConnections(isValid)
  const [a, b] = [openSocket(), openSocket()]
  watch(a, 'a', OFTEN_MS)
  watch(b, 'b', OFTEN_MS)
  await until(() => checks.length > 4)
  expect([a.destroyed, b.destroyed]).toEqual([false, false])
  valid.delete('a')
  await until(() => a.destroyed)
  expect(b.destroyed).toBe(false)
  b.destroy()
})

test('[core-connections-end] all of them, or some, are checked at once when asked', async () => {
  const watch = watchConnections(isValid)
  const [a, b] = [openSocket(), openSocket()]
  watch.watch(a, 'a', SELDOM_MS)
  watch.watch(b, 'b', SELDOM_MS)
  watch.recheck((id) => id === 'a')
  expect(checks).toEqual(['a'])
  valid.clear()
  watch.recheck((id) => id === 'a')
  expect([a.destroyed, b.destroyed]).toEqual([true, false])
  watch.recheck()
  expect(b.destroyed).toBe(true)
})

test.each<[string, () => boolean | undefined | Promise<boolean | undefined>]>([
  [
    'throws',
    () => {
      throw new Error('down')
    },
  ],
  ['rejects', () => Promise.reject(new Error('down'))],
  ['does not know', () => undefined],
])('[core-connections-end] a check that %s ends a connection at the twelfth time in a row', async (_title, fails) => {
  let isDown = true
  let looks = 0
  const { watch, recheck } = watchConnections<string>(() => {
    looks += 1
    return isDown ? fails() : true
  })
  const socket = openSocket()
  watch(socket, 'a', SELDOM_MS)
  const look = async (times: number) => {
    for (let i = 0; i < times; i++) {
      recheck()
      await new Promise(setImmediate)
    }
  }
  await look(11)
  expect(socket.destroyed).toBe(false)
  isDown = false
  await look(1)
  isDown = true
  await look(11)
  expect(socket.destroyed).toBe(false)
  await look(1)
  expect([socket.destroyed, looks]).toEqual([true, 24])
})

test('a check that takes longer than the interval is not begun twice, but for a recheck', async () => {
  let answer: (isValid: boolean) => void = () => undefined
  let looks = 0
  const { watch, recheck } = watchConnections<string>(() => {
    looks += 1
    return new Promise<boolean>((resolve) => {
      answer = resolve
    })
  })
  const socket = openSocket()
  watch(socket, 'a', OFTEN_MS)
  await until(() => looks === 1)
  let turns = 0
  const timer = setInterval(() => {
    turns += 1
  }, OFTEN_MS)
  await until(() => turns >= 3)
  clearInterval(timer)
  expect(looks).toBe(1)
  recheck()
  expect(looks).toBe(2)
  answer(false)
  await until(() => socket.destroyed)
})

test('a connection that is closed is forgotten, and no timer is left without one', async () => {
  const clear = jest.spyOn(globalThis, 'clearInterval')
  const { watch, recheck } = watchConnections(isValid)
  const socket = openSocket()
  watch(socket, 'a', OFTEN_MS)
  socket.destroy()
  await once(socket, 'close')
  recheck()
  expect(checks).toEqual([])
  await until(() => clear.mock.calls.length > 0)
  // One that is gone already would never be forgotten.
  watch(socket, 'a', OFTEN_MS)
  recheck()
  expect(checks).toEqual([])
  clear.mockRestore()
})

test('nothing listens to a connection that closes in a moment, however many there are, and one that stays is watched', async () => {
  const { watch, recheck } = watchConnections(isValid)
  const all = Array.from({ length: 1000 }, openSocket)
  for (const socket of all) {
    watch(socket, 'a', SELDOM_MS)
    expect(socket.listenerCount('close')).toBe(0)
    socket.destroy()
  }
  recheck()
  expect([checks, all.filter((socket) => socket.listenerCount('close') > 0)]).toEqual([[], []])
  const stays = openSocket()
  watch(stays, 'b', SELDOM_MS)
  await until(() => stays.listenerCount('close') === 1)
  valid.delete('b')
  recheck()
  expect(stays.destroyed).toBe(true)
})

let server: Server | undefined
afterEach(() => server?.closeAllConnections())

test('a response is left to its handler until its head is sent', async () => {
  const { watch, recheck } = watchConnections(isValid)
  valid.clear()
  let seen: ServerResponse | undefined
  server = createServer((_request, response) => {
    seen = response
    watch(response, 'a', SELDOM_MS)
    recheck()
    response.write('begun')
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const request = get({ host: '127.0.0.1', port: (server.address() as { port: number }).port })
  const [response] = (await once(request, 'response')) as [Duplex]
  expect(checks).toEqual([])
  const closed = once(response, 'error')
  recheck()
  await closed
  expect([seen?.destroyed, checks]).toEqual([true, ['a']])
  await once(server.close(), 'close')
})
