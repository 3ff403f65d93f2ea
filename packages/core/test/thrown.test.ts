import { UnavailableError } from '@countersign/core'
import { decisionOn, describeError, isBug, unavailableBy } from '@countersign/core/gate-kit'
import { describe, expect, test } from '@jest/globals'
import { kinds } from './thrown-kinds.js'

describe.each(kinds)('%s', (_name, make, kind, attributes) => {
  test('[core-thrown] is distinguished by isBug, and described without its message', () => {
    const error = make()
    expect(isBug(error)).toBe(kind === 'bug')
    expect(describeError(error)).toMatchObject(attributes)
    expect(JSON.stringify(describeError(error))).not.toContain('hunter2')
    const judge = () => unavailableBy(error, 'key_store', { storeMs: 3, attributes: { step: 'lookup' } })
    if (kind === 'bug') expect(judge).toThrow()
    else
      expect(judge()).toMatchObject({
        outcome: 'unavailable',
        dependency: 'key_store',
        detail: { storeMs: 3, attributes: { step: 'lookup', ...attributes } },
      })
  })
})

test.each([
  ['a missed deadline', { isTimeout: true, cause: new Error('hunter2') }, 'timeout'],
  ['a refused connection', { cause: Object.assign(new Error('hunter2'), { code: 'ECONNREFUSED' }) }, 'ECONNREFUSED'],
  ['an error reply of Redis', { cause: new Error("READONLY You can't write against hunter2") }, 'READONLY'],
  ['an error with a name alone', { cause: new SyntaxError('hunter2') }, 'SyntaxError'],
  ['an error within an error', { cause: new UnavailableError('x', 'hunter2', { isTimeout: true }) }, 'timeout'],
  [
    'the first word of a reply alone',
    { cause: Object.assign(new Error('OOM'), { name: 'ReplyError', code: 7 }) },
    'OOM',
  ],
  ['no word of a message that is no reply', { cause: new Error('No READONLY hunter2') }, 'Error'],
  ['no word that is too short for a reply', { cause: new Error('OK hunter2') }, 'Error'],
  ['no word that only begins like a reply', { cause: new Error('READONLYhunter2') }, 'Error'],
  ['no word that is too long for a reply', { cause: new Error(`${'A'.repeat(33)} hunter2`) }, 'Error'],
  ['the code of an error within an error', { cause: new UnavailableError('x', 'y', { cause: { code: 'E1' } }) }, 'E1'],
  ['a cause without a name', { cause: { message: 'hunter2' } }, undefined],
  ['a cause whose name is no text', { cause: { name: 7, message: 'hunter2' } }, undefined],
  ['no cause', {}, undefined],
  ['a cause that is no error', { cause: 'hunter2' }, undefined],
  [
    'a cause that throws',
    { cause: Object.defineProperty({}, 'code', { get: () => JSON.parse('hunter2') }) },
    undefined,
  ],
])('[core-thrown] the event of an UnavailableError names %s in one word', (_name, options, failure) => {
  const { detail } = unavailableBy(new UnavailableError('key_store', 'hunter2', options), 'key_store')
  expect(detail?.attributes?.failure).toBe(failure)
  expect(JSON.stringify(detail)).not.toContain('hunter2')
})

test('[core-thrown] an error that is no UnavailableError has no such word, and does not say when to ask again', () => {
  const error = Object.assign(new Error('no', { cause: { code: 'E1' } }), { isTimeout: true, retryAfterSeconds: 7 })
  const verdict = unavailableBy(error, 'key_store')
  expect(verdict.detail?.attributes).not.toHaveProperty('failure')
  expect(verdict.retryAfterSeconds).toBeUndefined()
  expect(unavailableBy(new UnavailableError('x', 'y', { retryAfterSeconds: 7 }), 'keys').retryAfterSeconds).toBe(7)
})

test('[core-thrown] what a gate throws becomes a failure when it is a bug, else an outage of what the error names', () => {
  const bug = new TypeError('no')
  expect(decisionOn(bug, ['key_store'])).toEqual({ outcome: 'failed', error: bug })
  const dependencies = ['key_store', 'keys']
  const outage = (dependency: string) => ({ outcome: 'unavailable', dependency })
  expect(decisionOn(new UnavailableError('keys', 'down'), dependencies)).toMatchObject(outage('keys'))
  expect(decisionOn(new UnavailableError('others', 'down'), dependencies)).toMatchObject(outage('key_store'))
  const stranger = Object.assign(new Error('down'), { dependency: 'keys' })
  expect(decisionOn(stranger, dependencies)).toMatchObject(outage('key_store'))
})

describe('the place of what was thrown', () => {
  const placeIn = (stack: unknown, message = 'm') =>
    describeError(Object.assign(new Error(message), { stack })).at as unknown

  test.each<[string, string, string | undefined]>([
    ['is the first frame', 'Error: m\n    at f (/a.js:10:20)\n    at g (/b.js:1:2)', 'f (/a.js:10:20)'],
    ['may have no function', 'Error: m\n    at /a.js:10:20', '/a.js:10:20'],
    ['may stand at the beginning of a line', 'Error: m\nat f (/a.js:1:2)', 'f (/a.js:1:2)'],
    ['has a line and a column', 'Error: m\n    at native\n    at f (/a.js:1)\n    at g (/b.js:1:2)', 'g (/b.js:1:2)'],
    ['is nothing but a frame', 'Error: m\n  look at f (/a.js:1:2)\n    at f (/a.js:1:2) of b', undefined],
    ['is not there without frames', 'Error: m', undefined],
    ['is found where the stack has another message', 'Error: x\n    at f (/a.js:1:2)', 'f (/a.js:1:2)'],
  ])('%s', (_name, stack, place) => {
    expect(placeIn(stack)).toBe(place)
  })

  test('is never a line of the message', () => {
    const message = 'x\n    at hunter2 (/a.js:1:2)\ny'
    expect(placeIn(`Error: ${message}\n    at f (/b.js:3:4)`, message)).toBe('f (/b.js:3:4)')
  })

  test('is never a line of the message behind a name that is longer than it', () => {
    const message = 'at hunter2 (/a.js:1:2)'
    expect(placeIn(`${'Long'.repeat(9)}Error\n${message}\n    at f (/b.js:3:4)`, message)).toBe('f (/b.js:3:4)')
  })

  test('is not there where the stack is no text, and the rest is', () => {
    expect(describeError(Object.assign(new Error('m'), { stack: 7, code: 'E1' }))).toEqual({
      error: 'Error',
      code: 'E1',
    })
    expect(describeError({ name: 7, code: 7 })).toEqual({ error: 'object' })
  })
})

test('[core-thrown] a RangeError is an outage when fetch failed with it, and a bug when it has no cause', () => {
  expect([isBug(new RangeError('fetch failed')), isBug(new RangeError('m')), isBug(undefined)]).toEqual([
    false,
    true,
    false,
  ])
  expect([isBug(null), isBug('TypeError'), isBug(7), isBug(TypeError)]).toEqual([false, false, false, true])
  expect(isBug(Object.defineProperty({}, 'name', { get: () => JSON.parse('x') }))).toBe(false)
})
