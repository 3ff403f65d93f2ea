import { unavailable } from '@countersign/core/gate-kit'
import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals'
import { type CaughtWarning, catchWarnings } from '../../../test/support/warnings.js'
import { outages, tellOutage, tellRecovery } from '../src/gate/outages.js'

let warnings: CaughtWarning[]
let stop: () => void
let nowMs = 1_000_000
/** What the process was told. */
const state = Reflect.get(globalThis, Symbol.for('countersign.outages/1')) as Record<string, Map<string, unknown>>
beforeEach(() => {
  for (const map of Object.values(state)) map.clear()
  ;({ warnings, stop } = catchWarnings())
  jest.spyOn(performance, 'now').mockImplementation(() => nowMs)
})
afterEach(() => {
  jest.restoreAllMocks()
  stop()
})

type Attributes = Record<string, string>
const down = (kind: string, attributes?: Attributes) =>
  tellOutage(kind, unavailable('store', attributes && { detail: { attributes } }))
const texts = () => warnings.map(({ message }) => message.replace(/\.? See https:\S+$/, ''))
const codes = () => warnings.map(({ code }) => code.replace('COUNTERSIGN_DEPENDENCY_', ''))

describe('an outage', () => {
  test.each<[string, Attributes | undefined, string]>([
    ['alone', undefined, ''],
    ['by the name and the code of its error', { error: 'Error', code: 'E1' }, ' (Error, E1)'],
    ['by its name', { error: 'Error' }, ' (Error)'],
    [
      'by the cause of an UnavailableError in place of its name',
      { error: 'A', code: 'B', failure: 'timeout' },
      ' (timeout)',
    ],
    ['without control characters', { error: 'a\nb' }, ' (ab)'],
  ])('is told %s', (name, attributes, why) => {
    down(`told-${name.length}`, attributes)
    expect(texts()).toEqual([`told-${name.length}: store is unavailable${why}`])
    expect(warnings[0]?.detail).toContain('503')
  })

  test('is told for each gate, dependency and issuer', () => {
    for (let round = 0; round < 2; round += 1) {
      for (const issuer of ['https://a.example', 'https://b.\nexample']) down('each', { issuer })
      down('each-other')
      tellOutage('each', unavailable('keys\n'))
    }
    expect(texts()).toEqual([
      'each: store of https://a.example is unavailable',
      'each: store of https://b.example is unavailable',
      'each-other: store is unavailable',
      'each: keys is unavailable',
    ])
  })

  test.each([
    ['not told again within a minute of the last time', 59_999, ['UNAVAILABLE', 'RECOVERED']],
    ['told again after it', 60_000, ['UNAVAILABLE', 'RECOVERED', 'UNAVAILABLE']],
  ])('that is over and comes back is %s', (name, afterMs, expected) => {
    const kind = `back-${name.length}`
    down(kind)
    nowMs += 5000
    tellRecovery(kind)
    nowMs += afterMs - 5000
    down(kind)
    expect(codes()).toEqual(expected)
  })
})

describe('the end of an outage', () => {
  test('is told with a grant of its gate, when no request was refused for five seconds', () => {
    down('over')
    nowMs += 4999
    tellRecovery('over')
    expect(codes()).toEqual(['UNAVAILABLE'])
    nowMs += 1
    tellRecovery('over-other')
    expect(codes()).toEqual(['UNAVAILABLE'])
    tellRecovery('over')
    tellRecovery('over')
    expect(codes()).toEqual(['UNAVAILABLE', 'RECOVERED'])
    expect(outages.size).toBe(0)
  })

  test('says how long it was, how many were refused, and for how long none was', () => {
    down('figures')
    nowMs += 12_000
    down('figures')
    nowMs += 100
    down('figures')
    nowMs += 7400
    tellRecovery('figures')
    expect(texts()[1]).toMatch(/^figures: store is available again: .* in the last 7 s$/)
    expect(warnings[1]?.detail).toBe('It was unavailable for 12 s; 3 request(s) got 503.')
  })

  test('is told of each dependency of the gate that is over, and of none that is not', () => {
    down('both', { issuer: 'a' })
    nowMs += 3000
    down('both', { issuer: 'b' })
    nowMs += 3000
    tellRecovery('both')
    expect(texts().slice(2)).toEqual([expect.stringMatching(/^both: store of a is available again/)])
  })
})

test('of 64 dependencies outages are told and kept, however many there are', () => {
  for (let index = 0; index < 100; index += 1) down(`many-${index}`)
  expect([warnings.length, outages.size]).toEqual([64, 64])
  nowMs += 60_000
  tellRecovery('many-0')
  down('many-0')
  expect(codes().slice(64)).toEqual(['RECOVERED', 'UNAVAILABLE'])
})
