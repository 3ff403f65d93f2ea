import { once } from 'node:events'
import { Duplex } from 'node:stream'
import { type ConnectionWatch, type OpenConnection, watchConnections } from '@countersign/core/gate-kit'
import { beforeEach, describe, expect, jest, test } from '@jest/globals'

const OFTEN_MS = 5
const SELDOM_MS = 3_600_000

function openSocket(): Duplex {
  return new Duplex({ read: () => undefined, write: (_chunk, _encoding, done) => done() })
}

/** A response whose head is sent when a test says so. */
function openResponse(): OpenConnection & { headersSent: boolean } {
  return Object.assign(openSocket(), { headersSent: false }) as never
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 1))
}

const gone = (connections: readonly OpenConnection[]) => connections.map(({ destroyed }) => destroyed)

let answer: boolean | undefined
let checks: string[]
let ended: string[]
let watch: ConnectionWatch<string>['watch']
let recheck: ConnectionWatch<string>['recheck']
beforeEach(() => {
  answer = true
  checks = []
  ended = []
  const isValid = (opener: string) => {
    checks.push(opener)
    return answer
  }
  const watching = watchConnections(isValid, (opener, cause) => ended.push(`${opener} ${cause}`))
  watch = watching.watch
  recheck = watching.recheck
})

describe('of more connections than one opener may have', () => {
  test('the oldest end, and those of another opener do not', () => {
    const all = Array.from({ length: 4 }, openSocket)
    const other = openSocket()
    for (const socket of all) watch(socket, 'a', SELDOM_MS, 2)
    watch(other, 'b', SELDOM_MS, 2)
    recheck()
    expect([gone(all), other.destroyed]).toEqual([[true, true, false, false], false])
    expect(ended).toEqual(['a too_many', 'a too_many'])
  })

  test('the oldest end without a check, a moment after the last one is watched', async () => {
    const all = Array.from({ length: 3 }, openSocket)
    for (const socket of all) watch(socket, 'a', SELDOM_MS, 2)
    await until(() => ended.length > 0)
    expect([gone(all), checks]).toEqual([[true, false, false], []])
  })

  test.each([
    [1, 3],
    [3, 1],
  ])('the strictest gate counts for all: %d, then %d', (first, second) => {
    const all = [openSocket(), openSocket()]
    watch(all[0] as Duplex, 'a', SELDOM_MS, first)
    watch(all[1] as Duplex, 'a', SELDOM_MS, second)
    recheck()
    expect(gone(all)).toEqual([true, false])
  })

  test('those are not counted whose answer has not begun, until it has', async () => {
    const all = Array.from({ length: 3 }, openResponse)
    for (const response of all) watch(response, 'a', OFTEN_MS, 2)
    recheck()
    expect(gone(all)).toEqual([false, false, false])
    expect(checks).toEqual([])
    for (const response of all.slice(0, 2)) response.headersSent = true
    await until(() => checks.length > 2)
    expect(gone(all)).toEqual([false, false, false])
    for (const response of all) response.headersSent = true
    await until(() => ended.length > 0)
    expect([gone(all), ended]).toEqual([[true, false, false], ['a too_many']])
    for (const response of all) response.destroy()
  })

  test('none ends while those that have begun are fewer', () => {
    const all = Array.from({ length: 5 }, openResponse)
    for (const response of all.slice(0, 3)) response.headersSent = true
    for (const response of all) watch(response, 'a', SELDOM_MS, 4)
    recheck()
    expect(ended).toEqual([])
  })

  test('the strictest gate counts for as long as something of it is open', async () => {
    const first = openSocket()
    watch(first, 'a', SELDOM_MS, 1)
    recheck()
    first.destroy()
    await once(first, 'close')
    for (const socket of [openSocket(), openSocket()]) watch(socket, 'a', SELDOM_MS, 2)
    recheck()
    expect(ended).toEqual([])
  })

  test('none ends where no number is given', () => {
    const all = Array.from({ length: 200 }, openSocket)
    for (const socket of all) watch(socket, 'a', SELDOM_MS)
    recheck()
    expect([ended, checks]).toEqual([[], ['a']])
  })

  test('one that is watched twice is one', () => {
    const [socket, next] = [openSocket(), openSocket()]
    watch(socket, 'a', SELDOM_MS, 2)
    watch(socket, 'a', SELDOM_MS, 2)
    watch(next, 'a', SELDOM_MS, 2)
    recheck()
    expect([socket.listenerCount('close'), ended]).toEqual([1, []])
  })
})

describe('what an opener has opened', () => {
  test('ends together when it is no longer valid, and each is told once', () => {
    const all = [openSocket(), openSocket()]
    for (const socket of all) watch(socket, 'a', SELDOM_MS)
    answer = false
    recheck()
    recheck()
    expect([gone(all), ended, checks]).toEqual([[true, true], ['a no_longer_valid', 'a no_longer_valid'], ['a']])
  })

  test('ends when nobody can tell for too long, and is told so', () => {
    const socket = openSocket()
    watch(socket, 'a', SELDOM_MS)
    answer = undefined
    for (let look = 0; look < 12; look += 1) recheck()
    expect([socket.destroyed, ended]).toEqual([true, ['a unavailable']])
  })

  test('has as many checks again when it has just been seen to be valid: it has opened another one', () => {
    const [socket, next] = [openSocket(), openSocket()]
    watch(socket, 'a', SELDOM_MS)
    answer = undefined
    for (let look = 0; look < 11; look += 1) recheck()
    watch(next, 'a', SELDOM_MS)
    for (let look = 0; look < 11; look += 1) recheck()
    expect(gone([socket, next])).toEqual([false, false])
    recheck()
    expect(gone([socket, next])).toEqual([true, true])
  })

  test('is without the one that closed of itself', async () => {
    const [first, second, third] = [openSocket(), openSocket(), openSocket()]
    for (const socket of [first, second, third]) watch(socket, 'a', SELDOM_MS, 2)
    // Before they are looked at.
    third.destroy()
    await once(third, 'close')
    recheck()
    first.destroy()
    await once(first, 'close')
    const fourth = openSocket()
    watch(fourth, 'a', SELDOM_MS, 2)
    recheck()
    expect([ended, gone([second, fourth])]).toEqual([[], [false, false]])
    answer = false
    recheck()
    expect(ended).toEqual(['a no_longer_valid', 'a no_longer_valid'])
    // Nothing is left to ask about, until it opens another one.
    await Promise.all([second, fourth].map((socket) => once(socket, 'close')))
    checks = []
    recheck()
    expect(checks).toEqual([])
    watch(openSocket(), 'a', SELDOM_MS)
    recheck()
    expect(checks).toEqual(['a'])
  })

  test('is without a response that is finished', () => {
    const response = Object.defineProperty(openSocket(), 'writableFinished', { value: true })
    watch(response, 'a', SELDOM_MS)
    recheck()
    expect([checks, response.listenerCount('close')]).toEqual([[], 0])
  })

  test.each([
    [OFTEN_MS, SELDOM_MS],
    [SELDOM_MS, OFTEN_MS],
  ])('is checked as often as the strictest gate asks for: %d ms, then %d ms', async (first, second) => {
    const all = [openSocket(), openSocket()]
    watch(all[0] as Duplex, 'a', first)
    recheck()
    watch(all[1] as Duplex, 'a', second)
    recheck()
    answer = false
    await until(() => ended.length === 2)
    expect(gone(all)).toEqual([true, true])
  })

  test('is checked again after there was nothing for a while', async () => {
    const first = openSocket()
    watch(first, 'a', OFTEN_MS)
    await until(() => checks.length > 1)
    first.destroy()
    const seen = checks.length
    // The timer ends with the last connection.
    let turns = 0
    await until(() => ++turns > 2 * OFTEN_MS)
    expect(checks.length).toBeLessThanOrEqual(seen + 1)
    const next = openSocket()
    watch(next, 'a', OFTEN_MS)
    answer = false
    await until(() => next.destroyed)
  })

  test('is checked no more often than asked for, whatever others ask for', async () => {
    const [often, seldom] = [openSocket(), openSocket()]
    watch(often, 'often', OFTEN_MS)
    watch(seldom, 'seldom', SELDOM_MS)
    await until(() => checks.length > 2)
    expect(checks).not.toContain('seldom')
    often.destroy()
  })

  test('is told once, when it closes while it is checked', async () => {
    let answerLate: (isValid: boolean) => void = () => undefined
    const late = new Promise<boolean>((resolve) => {
      answerLate = resolve
    })
    const told: string[] = []
    const watching = watchConnections<string>(
      () => late,
      (opener) => told.push(opener),
    )
    const [closes, stays] = [openSocket(), openSocket()]
    watching.watch(closes, 'a', SELDOM_MS)
    watching.watch(stays, 'a', SELDOM_MS)
    watching.recheck()
    closes.destroy()
    answerLate(false)
    await until(() => stays.destroyed)
    expect(told).toEqual(['a'])
  })

  test('has one timer for its checks and one for a first look, which end with it', async () => {
    const set = jest.spyOn(globalThis, 'setInterval')
    const look = jest.spyOn(globalThis, 'setTimeout')
    const clear = jest.spyOn(globalThis, 'clearInterval')
    try {
      const all = Array.from({ length: 3 }, openSocket)
      for (const socket of all) watch(socket, 'a', 7)
      expect([set.mock.calls.length, look.mock.calls.length]).toEqual([1, 1])
      await until(() => all.every((socket) => socket.listenerCount('close') === 1))
      expect(clear).not.toHaveBeenCalled()
      for (const socket of all) socket.destroy()
      await until(() => clear.mock.calls.length > 0)
      expect(clear.mock.calls).toEqual([[set.mock.results[0]?.value]])
    } finally {
      for (const spy of [set, look, clear]) spy.mockRestore()
    }
  })

  test('is looked at in a moment, the first time and every other', async () => {
    for (const socket of [openSocket(), openSocket()]) {
      watch(socket, 'a', SELDOM_MS)
      await until(() => socket.listenerCount('close') === 1)
    }
  })

  test('is looked at before 64 wait for it, however fast they come', () => {
    const all = Array.from({ length: 65 }, openSocket)
    const [last] = all.splice(-1) as [Duplex]
    for (const socket of all) watch(socket, 'a', SELDOM_MS)
    expect(all.filter((socket) => socket.listenerCount('close') > 0)).toEqual([])
    watch(last, 'a', SELDOM_MS)
    all.push(last)
    expect(all.map((socket) => socket.listenerCount('close'))).toEqual([...new Array(64).fill(1), 0])
  })
})
