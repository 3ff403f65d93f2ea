import { UnavailableError } from '@countersign/core'
import { describe, expect, test } from '@jest/globals'
import request from 'supertest'
import { type KeyDefinition, keyApp } from './harness.js'
import { kinds } from './thrown-kinds.js'

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
})

test('[core-thrown] an event names the place where it was thrown', async () => {
  const { app, events } = keyApp({}, { verify: async () => Promise.reject(new Error('no')) })
  await request(app).get('/1').set('x-key', 'good').expect(503)
  expect(events[0]?.attributes?.at).toEqual(expect.stringContaining('thrown-in-gates.test'))
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
})
