import { runInNewContext } from 'node:vm'
import { UnavailableError } from '@countersign/core'
import { decisionOn, describeError, isBug, unavailableBy } from '@countersign/core/gate-kit'
import { describe, expect, test } from '@jest/globals'
import request from 'supertest'
import { type KeyDefinition, keyApp } from './harness.js'

/** What is thrown, whether it is a bug, and what the event says of it. */
const kinds: [string, () => unknown, 'bug' | 'outage', Record<string, unknown>][] = [
  ['a ReferenceError', () => new ReferenceError('hunter2'), 'bug', { error: 'ReferenceError' }],
  [
    'a ReferenceError with a cause',
    () => new ReferenceError('hunter2', { cause: 1 }),
    'bug',
    { error: 'ReferenceError' },
  ],
  ['a plain TypeError', () => new TypeError('hunter2'), 'bug', { error: 'TypeError' }],
  ['a plain RangeError', () => new RangeError('hunter2'), 'bug', { error: 'RangeError' }],
  [
    'a TypeError with a cause',
    () => new TypeError('hunter2', { cause: new Error('x') }),
    'outage',
    { error: 'TypeError' },
  ],
  ['a RangeError with a cause', () => new RangeError('hunter2', { cause: 'x' }), 'outage', { error: 'RangeError' }],
  ['a TypeError of fetch', () => new TypeError('fetch failed'), 'outage', { error: 'TypeError' }],
  ['a SyntaxError', () => new SyntaxError('hunter2'), 'outage', { error: 'SyntaxError' }],
  ['an Error', () => new Error('hunter2'), 'outage', { error: 'Error' }],
  ['an AbortError', () => new DOMException('hunter2', 'AbortError'), 'outage', { error: 'AbortError' }],
  [
    'an Error with a code',
    () => Object.assign(new Error('hunter2'), { code: 'ECONNREFUSED' }),
    'outage',
    { error: 'Error', code: 'ECONNREFUSED' },
  ],
  [
    'an UnavailableError',
    () => new UnavailableError('key_store', 'hunter2'),
    'outage',
    { error: 'UnavailableError', code: 'ERR_COUNTERSIGN_UNAVAILABLE' },
  ],
  [
    'an UnavailableError that is named like a bug',
    () => Object.defineProperty(new UnavailableError('key_store', 'hunter2'), 'name', { value: 'TypeError' }),
    'outage',
    { error: 'TypeError' },
  ],
  ['a TypeError of another realm', () => runInNewContext('new TypeError("hunter2")'), 'bug', { error: 'TypeError' }],
  [
    'a ReferenceError of another realm',
    () => {
      try {
        return runInNewContext('hunter2()')
      } catch (error) {
        return error
      }
    },
    'bug',
    { error: 'ReferenceError' },
  ],
  ['an Error of another realm', () => runInNewContext('new Error("hunter2")'), 'outage', { error: 'Error' }],
  ['a text', () => 'hunter2', 'outage', { error: 'string' }],
  ['nothing', () => undefined, 'outage', { error: 'undefined' }],
  ['null', () => null, 'outage', { error: 'object' }],
  ['an object without a name', () => ({ secret: 'hunter2' }), 'outage', { error: 'object' }],
  ['a bare object that is named like a bug', () => ({ name: 'TypeError' }), 'bug', { error: 'TypeError' }],
  [
    'a proxy that throws',
    () =>
      new Proxy(
        {},
        {
          get: () => {
            throw new Error('hunter2')
          },
        },
      ),
    'outage',
    { error: 'unreadable' },
  ],
]

/** Where a gate's own code can throw. */
const places: [string, (fail: () => never) => Partial<KeyDefinition>][] = [
  ['read', (fail) => ({ read: fail })],
  ['verify', (fail) => ({ verify: fail })],
  ['a promise of verify', (fail) => ({ verify: async () => fail() })],
  ['demand', (fail) => ({ demand: fail })],
  ['a promise of demand', (fail) => ({ demand: async () => fail() })],
  [
    'demand after a promise of verify',
    (fail) => ({ verify: async () => ({ outcome: 'granted', principal: { kind: 'key', id: 'a' } }), demand: fail }),
  ],
]

describe.each(kinds)('%s', (_name, make, kind, attributes) => {
  test.each(places)('[core-thrown] is judged by its name, out of %s', async (_place, changes) => {
    const fail = (): never => {
      throw make()
    }
    for (const onDenied of ['respond', 'next'] as const) {
      const { app, events, handled, errors } = keyApp({ onDenied }, changes(fail))
      const response = await request(app).get('/1').set('x-key', 'good')
      expect(response.status).toBe(kind === 'bug' ? 500 : 503)
      expect(response.headers['retry-after']).toBe(kind === 'bug' ? undefined : '1')
      expect(response.headers['www-authenticate']).toBeUndefined()
      expect(response.text).not.toContain('hunter2')
      expect(events).toMatchObject([
        { type: 'access.unavailable', reason: kind === 'bug' ? 'internal_error' : 'key_store', attributes },
      ])
      expect(JSON.stringify(events)).not.toContain('hunter2')
      expect([handled(), errors.length]).toEqual([0, onDenied === 'next' ? 1 : 0])
    }
  })

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

test('[core-thrown] an event names the place where it was thrown', async () => {
  const { app, events } = keyApp({}, { verify: async () => Promise.reject(new Error('no')) })
  await request(app).get('/1').set('x-key', 'good').expect(503)
  expect(events[0]?.attributes?.at).toEqual(expect.stringContaining('thrown.test'))
})

test('[core-thrown] an UnavailableError says which dependency, if it is one of the gate, and when to ask again', async () => {
  for (const [dependency, reason] of [
    ['key_store', 'key_store'],
    ['keys', 'keys'],
    ['somebody_else', 'key_store'],
  ] as const) {
    const { app, events } = keyApp(
      {},
      {
        dependencies: ['key_store', 'keys' as 'key_store'],
        verify: () => {
          throw new UnavailableError(dependency, 'down', { retryAfterSeconds: 29.5 })
        },
      },
    )
    const response = await request(app).get('/1').set('x-key', 'good').expect(503)
    expect(response.headers['retry-after']).toBe('30')
    expect(events).toMatchObject([{ reason }])
  }
  expect(decisionOn(new TypeError('no'), ['key_store'])).toMatchObject({ outcome: 'failed' })
})

test.each([
  ['a missed deadline', { isTimeout: true, cause: new Error('hunter2') }, 'timeout'],
  ['a refused connection', { cause: Object.assign(new Error('hunter2'), { code: 'ECONNREFUSED' }) }, 'ECONNREFUSED'],
  ['an error reply of Redis', { cause: new Error("READONLY You can't write against hunter2") }, 'READONLY'],
  ['an error with a name alone', { cause: new SyntaxError('hunter2') }, 'SyntaxError'],
  ['an error within an error', { cause: new UnavailableError('x', 'hunter2', { isTimeout: true }) }, 'timeout'],
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
