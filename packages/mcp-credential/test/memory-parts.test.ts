import { describe, expect, test } from '@jest/globals'
import { fakeClock } from '../../../test/support/fake-clock.js'
import { ExpiryWheel } from '../src/store/memory/expiry-wheel.js'
import { Retirements } from '../src/store/memory/retirements.js'
import { RunningTime } from '../src/store/memory/running-time.js'
import { ScopeMap } from '../src/store/memory/scope-map.js'

describe('the times of the memory store', () => {
  /** The clocks of a computer that started at 1,000,000. */
  function started() {
    const clock = fakeClock(1_000_000)
    return { clock, time: new RunningTime(clock), start: clock.now() }
  }

  test('go on together while the process runs', () => {
    const { clock, time, start } = started()
    expect(time.moment()).toEqual({ now: start, running: 0, wall: start })
    clock.advance(10_000)
    expect(time.moment()).toEqual({ now: start + 10_000, running: 10_000, wall: start + 10_000 })
    time.tick()
    clock.advance(10_000)
    expect(time.moment().running).toBe(20_000)
  })

  test('count at most half a minute of running between two ticks', () => {
    const { clock, time, start } = started()
    clock.advance(30_001)
    expect(time.moment()).toMatchObject({ now: start + 30_001, running: 30_000 })
    clock.advance(3_600_000)
    expect(time.moment().running).toBe(30_000)
    time.tick()
    expect(time.moment().running).toBe(30_000)
    clock.advance(1)
    expect(time.moment()).toMatchObject({ now: start + 3_630_002, running: 30_001 })
  })

  test('are moved by no correction of the wall clock, which is what callers are told', () => {
    const { clock, time, start } = started()
    clock.jump(5000)
    expect(time.moment()).toEqual({ now: start, running: 0, wall: start + 5000 })
  })

  test('are whole milliseconds', () => {
    const clock = { now: () => 10.7, monotonic: () => 3.2 }
    expect(new RunningTime(clock).moment()).toEqual({ now: 10, running: 0, wall: 10 })
  })

  test('continue from a moment before a restart: the wall clock says how long ago that was, none of it was running', () => {
    const { clock, time, start } = started()
    clock.advance(7000)
    time.resume({ now: 100_000, running: 50_000, wall: start + 2000 })
    expect(time.moment()).toEqual({ now: 105_000, running: 50_000, wall: start + 7000 })
    clock.advance(1000)
    expect(time.moment()).toMatchObject({ now: 106_000, running: 51_000 })
  })

  test('do not go back where the wall clock was set back during the restart', () => {
    const { time, start } = started()
    time.resume({ now: 100_000, running: 50_000, wall: start + 9000 })
    expect(time.moment()).toEqual({ now: 100_000, running: 50_000, wall: start })
  })
})

describe('retired threads', () => {
  test('are blocked until their moment, inclusive', () => {
    const retired = new Retirements()
    retired.add('t1', 1000, 0)
    expect([retired.has('t1', 1000), retired.has('t1', 1001), retired.has('t2', 0)]).toEqual([true, false, false])
    retired.add('t1', 2000, 0)
    expect([retired.has('t1', 2000), retired.entries()]).toEqual([true, [['t1', 2000]]])
  })

  test('are forgotten when their moment has passed', () => {
    const retired = new Retirements()
    retired.add('t1', 1000, 0)
    retired.add('t2', 999, 0)
    retired.sweep(1000)
    expect(retired.entries()).toEqual([['t1', 1000]])
  })

  test('are bounded: of more than 100,000 those that have passed leave, then those that were retired first', () => {
    const retired = new Retirements()
    for (let index = 0; index < 100_000; index += 1) retired.add(`t${index}`, index === 5 ? 1 : 1000, 0)
    retired.add('t0', 1000, 0)
    expect(retired.entries()).toHaveLength(100_000)
    retired.add('more', 1000, 2)
    expect(['t0', 't1', 't5', 'more'].map((id) => retired.has(id, 1))).toEqual([true, true, false, true])
    retired.add('again', 1000, 2)
    expect(['t0', 't1', 't2', 'again'].map((id) => retired.has(id, 1))).toEqual([true, false, true, true])
    expect(retired.entries()).toHaveLength(100_000)
  })
})

describe('the epochs of providers', () => {
  test('are shared by who enters, until the last one has left', () => {
    const scopes = new ScopeMap()
    const scope = scopes.enter('p1')
    expect(scope).toEqual({ id: 'p1', isRevoked: false, entries: 1 })
    expect([scopes.enter('p1') === scope, scope.entries]).toEqual([true, 2])
    expect(scopes.enter('p2')).not.toBe(scope)
    scopes.leave(scope)
    expect(scopes.enter('p1')).toBe(scope)
    scopes.leave(scope)
    scopes.leave(scope)
    expect(scope.entries).toBe(0)
    expect([scopes.revoke('p1'), scopes.enter('p1') === scope]).toEqual([false, false])
  })

  test('end for all who entered, and for nobody who enters later', () => {
    const scopes = new ScopeMap()
    const ended = scopes.enter('p1')
    expect([scopes.revoke('p1'), scopes.revoke('p1'), ended.isRevoked]).toEqual([true, false, true])
    const next = scopes.enter('p1')
    expect([next === ended, next.isRevoked]).toEqual([false, false])
    // The last one of an ended epoch takes nothing of the next one with it.
    scopes.leave(ended)
    expect([scopes.enter('p1') === next, scopes.revoke('p1'), next.isRevoked]).toEqual([true, true, true])
  })
})

describe('what is filed by its deadline', () => {
  /** A wheel of buckets of 10 ms, whose entries are dropped unless their deadline has moved. */
  function wheel(now = 0) {
    const one = new ExpiryWheel<string>(10, now)
    const moved = new Map<string, number>()
    const sweep = (at: number, limit = 100) => {
      const visited: string[] = []
      one.sweep(
        at,
        (entry) => {
          visited.push(entry)
          const dueAt = moved.get(entry)
          moved.delete(entry)
          return dueAt
        },
        limit,
      )
      return visited
    }
    return { one, moved, sweep }
  }

  test('is visited once, in the bucket after its deadline', () => {
    const { one, sweep } = wheel()
    one.file('a', 10)
    one.file('b', 11)
    one.file('c', 20)
    expect([sweep(9), sweep(10), sweep(19), sweep(20), sweep(1000)]).toEqual([[], ['a'], [], ['b', 'c'], []])
  })

  test('is visited by the next sweep when its deadline has passed already', () => {
    const { one, sweep } = wheel(55)
    one.file('a', 0)
    expect(sweep(55)).toEqual(['a'])
    one.file('b', 0)
    expect([sweep(59), sweep(60)]).toEqual([[], ['b']])
  })

  test('is filed again when its deadline has moved, and never visited twice by a sweep', () => {
    const { one, moved, sweep } = wheel()
    one.file('a', 10)
    moved.set('a', 35)
    expect([sweep(10), sweep(39), sweep(40)]).toEqual([['a'], [], ['a']])
    one.file('b', 50)
    moved.set('b', 1)
    expect([sweep(50), sweep(59), sweep(60)]).toEqual([['b'], [], ['b']])
    one.file('c', 70)
    moved.set('c', 75)
    expect(sweep(100)).toEqual(['c', 'c'])
  })

  test('is visited as far as the limit goes, and the rest the next time', () => {
    const { one, sweep } = wheel()
    for (const entry of ['a', 'b', 'c']) one.file(entry, 10)
    one.file('d', 20)
    expect([sweep(20, 2), sweep(20, 1), sweep(20, 1), sweep(20, 1)]).toEqual([['b', 'c'], ['a'], ['d'], []])
  })

  test('is kept in its bucket where the limit is reached at its end', () => {
    const { one, sweep } = wheel()
    one.file('a', 10)
    one.file('b', 20)
    expect([sweep(20, 1), sweep(20, 5)]).toEqual([['a'], ['b']])
  })

  test('can be filed all at once by other deadlines', () => {
    const { one, sweep } = wheel()
    one.file('a', 10)
    one.file('b', 1000)
    one.file('c', 1000)
    one.refile((entry) => (entry === 'a' ? undefined : entry === 'b' ? 10 : 20))
    expect([sweep(10), sweep(20), sweep(2000)]).toEqual([['b'], ['c'], []])
  })
})
