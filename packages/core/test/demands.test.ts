import { firstPresented } from '@countersign/core'
import { denied, granted } from '@countersign/core/gate-kit'
import { describe, expect, test } from '@jest/globals'
import express, { type RequestHandler } from 'express'
import request from 'supertest'
import { recordAudit } from '../../../test/support/audit-recorder.js'
import { fakeClock } from '../../../test/support/fake-clock.js'
import { appOf, badgeGate, type KeyDefinition, type KeyVerdict, keyApp, keyGate } from './harness.js'

type AnonymousAnswer = ReturnType<NonNullable<KeyDefinition['anonymous']>>

describe('what a gate demands beyond authentication', () => {
  test.each<[string, () => KeyVerdict | Promise<KeyVerdict>]>([
    ['is known at once', () => denied('unknown')],
    ['is promised', async () => denied('unknown')],
  ])('is never asked about a refusal, so it cannot make a grant of one that %s', async (_name, verify) => {
    let asked = 0
    const { app, events, handled } = keyApp(
      {},
      {
        verify,
        demand: () => {
          asked += 1
          return granted({ kind: 'key', id: 'nobody' })
        },
      },
    )
    await request(app).get('/1').set('x-key', 'bad').expect(401)
    expect([asked, handled(), events.map(({ reason }) => reason)]).toEqual([0, 0, ['unknown']])
  })

  test('is not asked where verify() returned nothing: the error says what it must return', async () => {
    const changes: Partial<KeyDefinition> = {
      verify: () => undefined as unknown as KeyVerdict,
      demand: (verdict) => verdict,
    }
    const { app, errors, handled } = keyApp({ onDenied: 'next' }, changes)
    await request(app).get('/1').set('x-key', 'good').expect(500)
    const [error] = errors as [Error]
    expect([(error.cause as Error).message, handled()]).toEqual([expect.stringContaining('must return granted'), 0])
  })
})

/** An app behind an optional gate that demands this of a request without a credential. */
function anonymousApp(anonymous: () => AnonymousAnswer) {
  let asked = 0
  const counted = () => {
    asked += 1
    return anonymous()
  }
  return {
    ...appOf((audit) => keyGate({ audit }, { anonymous: counted }).optional()),
    asked: () => asked,
  }
}

describe('what optional() demands of a request without a credential', () => {
  test.each<[string, () => AnonymousAnswer]>([
    ['at once', () => undefined],
    ['with a promise', async () => undefined],
  ])('lets it through when the answer is nothing, %s', async (_name, anonymous) => {
    const { app, events, handled, asked } = anonymousApp(anonymous)
    await request(app).get('/1').expect(200, { principal: null })
    expect([events, handled(), asked()]).toEqual([[], 1, 1])
  })

  test.each<[string, number, string, () => AnonymousAnswer]>([
    ['a refusal', 403, 'too_little', () => denied('too_little')],
    ['a promised refusal', 403, 'too_little', async () => denied('too_little')],
    [
      'an outage',
      503,
      'key_store',
      () => {
        throw new Error('down')
      },
    ],
    ['a promised outage', 503, 'key_store', async () => Promise.reject(new Error('down'))],
    [
      'a bug',
      500,
      'internal_error',
      () => {
        throw new ReferenceError('a bug')
      },
    ],
    ['a promised bug', 500, 'internal_error', async () => Promise.reject(new ReferenceError('a bug'))],
  ])('is no way in with %s: %d, and one event', async (_name, status, reason, anonymous) => {
    const { app, events, handled } = anonymousApp(anonymous)
    await request(app).get('/1').expect(status)
    expect([events.map((event) => event.reason), handled()]).toEqual([[reason], 0])
  })

  test('is not asked where a credential is presented', async () => {
    const { app, asked } = anonymousApp(() => denied('too_little'))
    await request(app).get('/1').set('x-key', 'good').expect(200)
    await request(app).get('/1').set('x-key', 'bad').expect(401)
    expect(asked()).toBe(0)
  })

  test('is not asked where another gate granted the request', async () => {
    const { audit, events } = recordAudit()
    const app = express().use(
      badgeGate({ audit }).optional(),
      keyGate({ audit }, { anonymous: () => denied('too_little') }).optional(),
      (incoming, response) => void response.json(incoming.principal),
    )
    await request(app).get('/').set('x-badge', '7').expect(200, { kind: 'badge', id: '7' })
    await request(app).get('/').expect(403)
    expect(events.map(({ gate, reason }) => [gate, reason])).toEqual([
      ['badge', undefined],
      ['key', 'too_little'],
    ])
  })
})

test('a principal is shown until another gate grants one, also where gates of one verifier and an optional gate follow', async () => {
  const { audit, events } = recordAudit()
  const gate = keyGate({ audit })
  const seen: unknown[] = []
  const look: RequestHandler = (incoming, _response, next) => {
    seen.push(incoming.principal?.kind)
    next()
  }
  const unused = keyGate({ audit }, { reads: ['x-other'], read: () => undefined }).optional()
  const app = express().use(gate, look, badgeGate({ audit }), look, gate, look, unused, look, (_incoming, response) => {
    response.end()
  })
  await request(app).get('/').set({ 'x-key': 'good', 'x-badge': '7' }).expect(200)
  expect(seen).toEqual(['key', 'badge', 'key', 'key'])
  expect(events.map((event) => event.gate)).toEqual(['key', 'badge'])
})

test('the latency of an event is the time that passed, whatever the clock shows', async () => {
  const clock = fakeClock()
  clock.advance(5000)
  const verify = () => {
    clock.advance(2)
    return denied('unknown' as const)
  }
  const { app, events } = keyApp({ clock }, { verify })
  await request(app).get('/1').set('x-key', 'bad').expect(401)
  expect(events).toMatchObject([{ latencyMs: 2 }])
})

describe('a gate among others of its header field', () => {
  const other = () => keyGate({}, { middleware: 'requireOtherKey' })

  test('keeps a later one from being reached, unless it recognises its own credentials', () => {
    expect(() => firstPresented(keyGate(), other())).toThrow(
      expect.objectContaining({ code: 'ERR_COUNTERSIGN_GATE_UNREACHABLE' }),
    )
    expect(() => firstPresented(keyGate({}, { recognises: 'own' }), other())).not.toThrow()
  })

  test.each<[string, KeyDefinition['owns'], string]>([
    ['owns what is presented where it does not say', undefined, 'first'],
    ['owns what it says is its own', () => true, 'first'],
    ['leaves to the later one what it says is not', () => false, 'second'],
  ])('%s', async (_name, owns, id) => {
    const { app } = appOf((audit) =>
      firstPresented(
        keyGate({ audit }, { recognises: 'own', owns, verify: () => granted({ kind: 'key', id: 'first' }) }),
        keyGate({ audit }, { verify: () => granted({ kind: 'key', id: 'second' }) }),
      ),
    )
    await request(app)
      .get('/1')
      .set('x-key', 'good')
      .expect(200, { principal: { kind: 'key', id } })
  })
})
