import { runInNewContext } from 'node:vm'
import { UnavailableError } from '@countersign/core'

/** What is thrown, whether it is a bug, and what the event says of it. */
export const kinds: [string, () => unknown, 'bug' | 'outage', Record<string, unknown>][] = [
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
