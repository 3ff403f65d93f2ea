import { setImmediate as tick } from 'node:timers/promises'
import { AccessDeniedError } from '@countersign/core'
import { denied, problemAnswer, unavailable } from '@countersign/core/gate-kit'
import { describe, expect, test } from '@jest/globals'
import express, { type ErrorRequestHandler } from 'express'
import request from 'supertest'
import { recordAudit } from '../../../test/support/audit-recorder.js'
import { decides, deciding, keyApp, keyGate } from './harness.js'

const REFUSAL = '{"type":"about:blank","title":"Unauthorized","status":401,"error":"invalid_token"}'

describe("onDenied: 'respond'", () => {
  test('[core-on-denied] is the default: it answers, and no error handler hears of it', async () => {
    const { app, errors } = keyApp()
    const response = await request(app).get('/1').set('x-key', 'bad')
    expect([response.status, response.text]).toEqual([401, REFUSAL])
    expect(errors).toEqual([])
  })
})

describe("onDenied: 'next'", () => {
  test('[core-access-denied-error] passes an error in the shape of http-errors', async () => {
    const { app, errors, events } = keyApp({ onDenied: 'next' })
    await request(app).get('/1').set('x-key', 'bad').expect(401)
    const [error] = errors as [AccessDeniedError]
    expect(error).toBeInstanceOf(AccessDeniedError)
    expect(error).toMatchObject({
      name: 'AccessDeniedError',
      message: 'Unauthorized',
      status: 401,
      statusCode: 401,
      code: 'ERR_COUNTERSIGN_ACCESS_DENIED',
      expose: true,
      headers: {
        'WWW-Authenticate': 'Key realm="tests"',
        'Cache-Control': 'no-store',
        'Content-Type': 'application/problem+json; charset=utf-8',
      },
      reason: 'unknown',
      answer: { status: 401, problem: JSON.parse(REFUSAL) },
    })
    expect(events).toHaveLength(1)
  })

  test('[core-access-denied-error] keeps the reason out of what a careless handler sends', () => {
    const error = new AccessDeniedError(denied('revoked'), problemAnswer(401))
    expect(JSON.stringify(error)).not.toContain('revoked')
    expect({ ...error }).not.toHaveProperty('answer')
    expect(error.reason).toBe('revoked')
  })

  test("[core-access-denied-error] makes Express's own error handler answer with the status and the challenge", async () => {
    const { app } = keyApp({ onDenied: 'next' })
    const response = await request(app).get('/1').set('x-key', 'bad')
    expect(response.status).toBe(401)
    expect(response.headers['www-authenticate']).toBe('Key realm="tests"')
    expect(response.headers['cache-control']).toBe('no-store')
  })

  test('[core-access-denied-error] tells an outage from a refusal, and exposes neither an outage nor a bug', async () => {
    const outage = deciding(() => unavailable('key_store', { retryAfterSeconds: 7 }), { onDenied: 'next' })
    const response = await request(outage.app).get('/1').expect(503)
    expect(response.headers['retry-after']).toBe('7')
    expect(outage.errors).toMatchObject([
      { status: 503, code: 'ERR_COUNTERSIGN_ACCESS_UNAVAILABLE', expose: false, reason: 'key_store' },
    ])

    const cause = new ReferenceError('a bug')
    const bug = deciding(
      () => {
        throw cause
      },
      { onDenied: 'next' },
    )
    await request(bug.app).get('/1').expect(500)
    expect(bug.errors).toMatchObject([
      { status: 500, code: 'ERR_COUNTERSIGN_GATE_FAILED', expose: false, reason: 'internal_error', cause },
    ])
    expect(Object.hasOwn(outage.errors[0] as Error, 'cause')).toBe(false)
    expect(bug.events).toHaveLength(1)
  })
})

describe('onDenied: a function', () => {
  test('[core-on-denied] takes over, and gets the verdict and the answer that would be sent', async () => {
    const { app, events } = keyApp({
      onDenied: ({ verdict, answer }, _request, response) => {
        const reason = verdict.outcome === 'denied' ? verdict.reason : verdict.outcome
        response.status(418).json({ reason, would: answer.status })
      },
    })
    const response = await request(app).get('/1').set('x-key', 'bad')
    expect([response.status, response.body]).toEqual([418, { reason: 'unknown', would: 401 }])
    expect(events).toMatchObject([{ type: 'access.denied', http: { status: 401 } }])
  })

  test('[core-on-denied] may answer late, or fall back on the answer of the gate', async () => {
    const { app } = keyApp({
      onDenied: async ({ respond }) => {
        await tick()
        respond()
      },
    })
    const response = await request(app).get('/1').set('x-key', 'bad')
    expect([response.status, response.text]).toEqual([401, REFUSAL])
  })

  test('[core-on-denied] may pass an error on', async () => {
    const { app, errors, handled } = keyApp({
      onDenied: (_denial, _request, _response, next) => next(new Error('mine')),
    })
    await request(app).get('/1').expect(500)
    expect(errors).toMatchObject([{ message: 'mine' }])
    expect(handled()).toBe(0)
  })

  test.each([[undefined], ['route'], ['router'], [null], [{ status: 200 }]])(
    '[core-on-denied] that calls next(%j) grants nothing: the answer is sent',
    async (value) => {
      const { app, handled, errors } = keyApp({
        onDenied: (_denial, _request, _response, next) => (next as (value: unknown) => void)(value),
      })
      const response = await request(app).get('/1').set('x-key', 'bad')
      expect([response.status, response.text]).toEqual([401, REFUSAL])
      expect([handled(), errors]).toEqual([0, []])
    },
  )

  test.each([
    [
      'throws',
      () => {
        throw new Error('the handler of denials fails')
      },
    ],
    ['rejects', async () => Promise.reject(new Error('the handler of denials fails'))],
  ])('[core-contained] that %s is answered with 500 without detail, with one event', async (_name, onDenied) => {
    const { app, events, handled } = keyApp({ onDenied })
    const response = await request(app).get('/1').set('x-key', 'bad')
    expect([response.status, response.text]).toEqual([
      500,
      '{"type":"about:blank","title":"Internal Server Error","status":500}',
    ])
    expect([events.length, handled()]).toEqual([1, 0])
  })

  test('[core-next-once] that passes an error twice and then fails is heard once', async () => {
    const { audit } = recordAudit()
    let heard = 0
    const app = express()
    const gate = keyGate({
      audit,
      onDenied: async (_denial, _request, _response, next) => {
        next(new Error('first'))
        next(new Error('second'))
        throw new Error('third')
      },
    })
    app.get('/', gate)
    app.use((async (_error, _request, response, _next) => {
      heard += 1
      await tick()
      await tick()
      response.status(409).end('handled')
    }) as ErrorRequestHandler)
    const response = await request(app).get('/')
    expect([response.status, response.text, heard]).toEqual([409, 'handled', 1])
  })

  test('[core-next-once] that answers and then passes an error leaves its answer alone', async () => {
    const { app, errors } = keyApp({
      onDenied: ({ respond }, _request, _response, next) => {
        respond()
        next(new Error('too late'))
      },
    })
    const response = await request(app).get('/1').set('x-key', 'bad')
    expect([response.status, response.text]).toEqual([401, REFUSAL])
    expect(errors).toEqual([])
  })

  test('is not asked about a bug: that goes to the error handlers', async () => {
    let asked = 0
    const { app, errors } = keyApp(
      {
        onDenied: () => {
          asked += 1
        },
      },
      {
        verify: () => {
          throw new ReferenceError('bug')
        },
      },
    )
    await request(app).get('/1').set('x-key', 'good').expect(500)
    expect([asked, errors.length]).toEqual([0, 1])
  })
})

test("an app's own 401 after onDenied: 'next' keeps the headers that it is handed", async () => {
  const { audit } = recordAudit()
  const app = express().get(
    '/',
    keyGate(
      { audit, onDenied: 'next' },
      decides(() => denied('missing')),
    ),
  )
  app.use(((error, _request, response, _next) => {
    response.status(error.status).set(error.headers).json({ mine: true })
  }) as ErrorRequestHandler)
  const response = await request(app).get('/')
  expect(response.status).toBe(401)
  expect(response.headers['www-authenticate']).toBe('Key realm="tests"')
  expect(response.body).toEqual({ mine: true })
})
