import type { IncomingMessage } from 'node:http'
import { fieldLines, isLoopback, isToken68, parseAuthorization, splitAuthorization } from '@countersign/core/gate-kit'
import { expect, test } from '@jest/globals'
import { expectLinearTime, type Frame, type ParserRow, parsersOf } from '../../../test/support/linear-time.js'
import { completeEvent, safeString } from '../src/audit/normalise.js'
import { quote } from '../src/gate/challenge.js'
import { describeError } from '../src/gate/thrown.js'

const message = (...rawHeaders: string[]) => ({ rawHeaders }) as unknown as IncomingMessage
const bearer = (value: string) => message('Authorization', value)
const scheme: Frame = (run) => `Bearer ${run}`
const middle: Frame = (run) => `Bearer a${run}b`

const PARSERS: readonly ParserRow[] = [
  [
    'Authorization',
    (text) => parseAuthorization(bearer(text), Number.POSITIVE_INFINITY),
    [(run) => run, scheme, middle],
  ],
  ['Authorization, capped', (text) => parseAuthorization(bearer(text)), [scheme]],
  ['Authorization, unchecked', (text) => splitAuthorization(bearer(text), Number.POSITIVE_INFINITY), [scheme, middle]],
  ['a token68', isToken68, [(run) => run, (run) => `a${run}!`]],
  ['the lines of a field', (text) => fieldLines(message(...text, ''), 'a')],
  ['a host name', isLoopback],
  ['a text of an event', safeString],
  ['an event', (text) => completeEvent({ type: 'access.denied', attributes: { [text]: text }, reason: text }, 0)],
  ['a quoted string', quote],
  [
    'the place of an error',
    (text) => describeError({ name: 'Error', message: '', stack: text }),
    [(run) => `at ${run}`],
  ],
]

test.each(parsersOf(PARSERS))('[core-linear-time] $name is read in linear time', ({ parse, frames }) => {
  expectLinearTime(parse, frames)
})

test('the measurement finds an expression that backtracks on a run of spaces', () => {
  expect(() => expectLinearTime((text) => text.replace(/[ \t]+$/, ''), [(run) => `${run}a`])).toThrow()
})
