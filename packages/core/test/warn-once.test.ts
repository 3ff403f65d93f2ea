import { warnOnce } from '@countersign/core/gate-kit'
import { afterEach, beforeEach, expect, jest, test } from '@jest/globals'
import { type CaughtWarning, catchWarnings } from '../../../test/support/warnings.js'

let warnings: CaughtWarning[]
let stop: () => void
beforeEach(() => {
  ;({ warnings, stop } = catchWarnings())
})
afterEach(() => stop())

test('a cause is told once, with its code and its page', () => {
  for (let round = 0; round < 3; round += 1) {
    warnOnce({ code: 'COUNTERSIGN_TEST_ONCE', message: 'It is wrong', remedy: 'Mend it.' })
  }
  expect(warnings).toEqual([
    {
      code: 'COUNTERSIGN_TEST_ONCE',
      message: 'It is wrong. See https://countersign.example/errors/COUNTERSIGN_TEST_ONCE',
      detail: 'Mend it.',
    },
  ])
})

test('another cause, another code and another object are told again', () => {
  const one = {}
  const other = {}
  for (let round = 0; round < 2; round += 1) {
    for (const cause of ['a', 'b']) warnOnce({ code: 'COUNTERSIGN_TEST_CAUSES', cause, message: cause })
    warnOnce({ code: 'COUNTERSIGN_TEST_OTHER', cause: 'a', message: 'other code' })
    for (const owner of [one, other])
      warnOnce({ code: 'COUNTERSIGN_TEST_CAUSES', cause: 'a', owner, message: 'of an object' })
  }
  expect(warnings.map(({ message }) => message.split('. See')[0])).toEqual([
    'a',
    'b',
    'other code',
    'of an object',
    'of an object',
  ])
})

test('of one code 32 causes are told and kept, however many there are', () => {
  const message = jest.fn(() => 'one of many')
  for (let cause = 0; cause < 10_000; cause += 1) {
    warnOnce({ code: 'COUNTERSIGN_TEST_FLOOD', cause: `cause ${cause}`, message })
  }
  expect(warnings).toHaveLength(32)
  expect(message).toHaveBeenCalledTimes(32)
})

test('a function in the place of process.emitWarning that throws is no error', () => {
  jest.mocked(process.emitWarning).mockImplementation(() => {
    throw new Error('no warnings here')
  })
  expect(() => warnOnce({ code: 'COUNTERSIGN_TEST_THROWS', message: 'x' })).not.toThrow()
})
