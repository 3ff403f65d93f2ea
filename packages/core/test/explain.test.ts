import { denied, explain, granted, unavailable } from '@countersign/core/gate-kit'
import { expect, test } from '@jest/globals'

const steps = [
  { step: 'form', endings: ['missing', 'malformed'] },
  { step: 'key', endings: ['unknown_key', 'keys'] },
  { step: 'audience', endings: ['wrong_audience'] },
]
const told = (verdict: Parameters<typeof explain>[0]) => explain(verdict, steps).steps.map(({ outcome }) => outcome)

test('[core-explain] a grant passed every step', () => {
  const verdict = granted({ kind: 'key', id: 'a' })
  expect(explain(verdict, steps)).toEqual({
    verdict,
    steps: [
      { step: 'form', outcome: 'passed' },
      { step: 'key', outcome: 'passed' },
      { step: 'audience', outcome: 'passed' },
    ],
  })
})

test('[core-explain] a refusal failed one step, and did not reach those after it', () => {
  expect(told(denied('malformed'))).toEqual(['failed', 'not_reached', 'not_reached'])
  expect(told(denied('unknown_key'))).toEqual(['passed', 'failed', 'not_reached'])
  expect(told(denied('wrong_audience'))).toEqual(['passed', 'passed', 'failed'])
})

test('[core-explain] an outage leaves its step unknown', () => {
  expect(told(unavailable('keys'))).toEqual(['passed', 'unknown', 'not_reached'])
})

test('[core-explain] a reason that no step ends with is a mistake in the steps', () => {
  expect(() => told(denied('revoked'))).toThrow('no step of the decision ends with "revoked"')
})
