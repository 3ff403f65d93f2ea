import { type AccessDeniedError, type Answer, createAudit } from '@countersign/core'
import { denied, granted, problemAnswer, unavailable } from '@countersign/core/gate-kit'
import { describe, expect, test } from '@jest/globals'
import express, { type ErrorRequestHandler } from 'express'
import request from 'supertest'
import { recordAudit } from '../../../test/support/audit-recorder.js'
import { titleOf } from '../src/gate/problem.js'
import { decides, deciding, type KeyDefinition, type KeyVerdict, keyApp, keyGate } from './harness.js'

const PROBLEM = 'application/problem+json; charset=utf-8'

async function answerTo(verdict: KeyVerdict) {
  const { app } = deciding(() => verdict)
  const { status, headers, text } = await request(app).get('/1')
  return { status, challenge: headers['www-authenticate'], retryAfter: headers['retry-after'], headers, text }
}

describe('an answer', () => {
  test.each<[string, KeyVerdict, number, string | undefined, string]>([
    ['nothing presented', denied('missing'), 401, 'Key realm="tests"', 'Unauthorized'],
    ['not valid', denied('unknown'), 401, 'Key realm="tests"', 'Unauthorized'],
    ['duplicated', denied('ambiguous'), 400, undefined, 'Bad Request'],
    ['not enough', denied('too_little'), 403, undefined, 'Forbidden'],
    ['body too large', denied('too_large'), 413, undefined, 'Content Too Large'],
  ])('[core-answers] (%s) is a problem that is never cached', async (_name, verdict, status, challenge, title) => {
    const answer = await answerTo(verdict)
    expect(answer).toMatchObject({ status, retryAfter: undefined })
    expect(answer.challenge).toBe(challenge)
    expect(answer.headers['content-type']).toBe(PROBLEM)
    expect(answer.headers['cache-control']).toBe('no-store')
    expect(JSON.parse(answer.text)).toMatchObject({ type: 'about:blank', title, status })
  })

  test('[core-unavailable] to an outage is 503 with Retry-After and no challenge', async () => {
    const answer = await answerTo(unavailable('key_store'))
    expect(answer).toMatchObject({ status: 503, retryAfter: '1', challenge: undefined })
    expect(answer.text).toBe('{"type":"about:blank","title":"Service Unavailable","status":503}')
    expect(answer.headers['cache-control']).toBe('no-store')
  })

  test.each([
    [0, '1'],
    [0.2, '1'],
    [29.5, '30'],
    [-3, '1'],
    [Number.NaN, '1'],
    [Number.POSITIVE_INFINITY, '1'],
    [1e22, '86400'],
  ])('[core-unavailable] rounds Retry-After of %d seconds to %s', async (retryAfterSeconds, expected) => {
    const answer = await answerTo(unavailable('key_store', { retryAfterSeconds }))
    expect(answer).toMatchObject({ status: 503, retryAfter: expected })
  })

  test('[core-challenge] of 401 carries a challenge even when the gate has none: its kind', async () => {
    const { app } = keyApp({}, { challenge: () => [] })
    const response = await request(app).get('/1').expect(401)
    expect(response.headers['www-authenticate']).toBe('key')
  })

  test('[core-answers] says what would be enough, in the challenge and in the body', async () => {
    const { app } = keyApp(
      {},
      {
        ...decides(() =>
          denied('too_little', { parameters: { scope: 'a b' }, members: { scopes_needed: ['a', 'b'], status: 200 } }),
        ),
        challenge: (refusal) => [{ scheme: 'Bearer', parameters: refusal?.parameters }],
      },
    )
    const response = await request(app).get('/1').expect(403)
    expect(response.headers['www-authenticate']).toBe('Bearer scope="a b"')
    expect(response.body).toEqual({ type: 'about:blank', title: 'Forbidden', status: 403, scopes_needed: ['a', 'b'] })
  })

  test('[core-answers] is the same, byte for byte, for all reasons that share one problem', async () => {
    const first = await answerTo(denied('unknown', { detail: { attributes: { why: 'revoked' } } }))
    const second = await answerTo(denied('unknown', { detail: { attributes: { why: 'expired' }, storeMs: 3 } }))
    expect(second.text).toBe(first.text)
    const stable = ({ date: _date, ...headers }: Record<string, string>) => headers
    expect(stable(second.headers)).toEqual(stable(first.headers))
  })

  test('keeps the headers that others set, and replaces a cache header of theirs', async () => {
    const { app } = keyApp()
    const outer = express()
    outer.use((_request, response, next) => {
      response.set({ 'X-Frame-Options': 'DENY', 'Cache-Control': 'public, max-age=600' })
      next()
    }, app)
    const response = await request(outer).get('/1').expect(401)
    expect(response.headers['x-frame-options']).toBe('DENY')
    expect(response.headers['cache-control']).toBe('no-store')
  })

  test('to HEAD has the headers and no body', async () => {
    const { app } = keyApp()
    const response = await request(app).head('/1').expect(401)
    expect(response.headers['www-authenticate']).toBe('Key realm="tests"')
    expect(response.text ?? '').toBe('')
  })

  test('[core-answers] cannot be made cacheable by the headers of a gate', () => {
    const { headers } = problemAnswer(403, {}, [], { 'Cache-Control': 'public' })
    expect(headers['Cache-Control']).toBe('no-store')
  })

  test('has a title for each status that a gate answers', () => {
    expect([400, 401, 403, 413, 500, 503, 418].map(titleOf)).toEqual([
      'Bad Request',
      'Unauthorized',
      'Forbidden',
      'Content Too Large',
      'Internal Server Error',
      'Service Unavailable',
      'Error',
    ])
  })
})

describe('the shape of an answer', () => {
  test('[core-answers] is an object until its bytes are sent', async () => {
    const seen: unknown[] = []
    const { app } = keyApp({
      onDenied: ({ answer, respond }) => {
        seen.push(answer)
        respond()
      },
    })
    const response = await request(app).get('/1').set('x-key', 'bad').expect(401)
    expect(seen).toEqual([
      {
        status: 401,
        headers: {
          'WWW-Authenticate': 'Key realm="tests"',
          'Cache-Control': 'no-store',
          'Content-Type': PROBLEM,
        },
        problem: { type: 'about:blank', title: 'Unauthorized', status: 401, error: 'invalid_token' },
      },
    ])
    expect(response.headers['content-length']).toBe(String(Buffer.byteLength(response.text)))
  })

  test('[core-answers] is the last word of the gate: another status, another form, more headers', async () => {
    const body = '<p>Grüße</p>'
    const { app, events } = keyApp(
      {},
      {
        shape: (plain, refusal, incoming) => ({
          status: 403,
          headers: { ...plain.headers, 'Content-Type': 'text/html; charset=utf-8', 'Set-Cookie': ['a=1', 'b=2'] },
          problem: { ...plain.problem, detail: `${refusal.outcome} ${incoming.path}` },
          body,
        }),
      },
    )
    const response = await request(app).get('/1').expect(403)
    expect([response.text, response.headers['content-type']]).toEqual([body, 'text/html; charset=utf-8'])
    expect(response.headers['set-cookie']).toEqual(['a=1', 'b=2'])
    expect(response.headers['content-length']).toBe('14')
    expect(events).toMatchObject([{ reason: 'missing', http: { status: 403 } }])
  })

  test.each<[string, Partial<Answer>]>([
    ['a header that HTTP does not allow', { headers: { 'X-Note': 'a\r\nb' } }],
    ['a name that HTTP does not allow', { headers: { 'X Note': 'a' } }],
    ['no status', { status: undefined as unknown as number }],
    ['a status that HTTP does not have', { status: 42 }],
    ['a problem that JSON cannot hold', { problem: { count: 1n } }],
  ])('[core-throw] that has %s is a bug: 500, one event', async (_name, changes) => {
    const { app, events } = keyApp({}, { shape: (plain) => ({ ...plain, ...changes }) })
    const response = await request(app).get('/1').expect(500)
    expect(response.text).toBe('{"type":"about:blank","title":"Internal Server Error","status":500}')
    expect(events).toMatchObject([{ reason: 'internal_error', http: { status: 500 } }])
  })
})

test('[core-throw] the shape of an answer is not asked about a bug: that is 500 without detail', async () => {
  const shape: KeyDefinition['shape'] = (plain) => ({ ...plain, headers: {}, body: 'the form of the gate' })
  const { app } = keyApp(
    {},
    {
      shape,
      verify: () => {
        throw new ReferenceError('a bug')
      },
    },
  )
  const response = await request(app).get('/1').set('x-key', 'good').expect(500)
  expect(response.body).toEqual({ type: 'about:blank', title: 'Internal Server Error', status: 500 })
  expect((await request(app).get('/1').expect(401)).text).toBe('the form of the gate')
})

describe('a method', () => {
  test.each(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE'])(
    '[core-no-exempt-method] is exempt from nothing: %s without credentials is refused',
    async (method) => {
      const { app, events, handled } = keyApp()
      const send = request(app) as unknown as Record<string, (path: string) => request.Test>
      const response = await (send[method.toLowerCase()] as (path: string) => request.Test)('/1')
      expect(response.status).toBe(401)
      expect(events).toMatchObject([{ reason: 'missing', http: { method } }])
      expect(handled()).toBe(0)
    },
  )
})

describe('a required audit sink', () => {
  /** The reasons of what gates decided, without the events of the emitter itself: those come when a sink fails for a while. */
  function recordDecisions() {
    const { audit, events } = recordAudit()
    const decisions = () => events.filter(({ gate }) => gate === 'key').map(({ reason }) => reason)
    return { audit, decisions }
  }

  function withRequiredSink(write: () => void | Promise<void>, onDenied: 'respond' | 'next' = 'respond') {
    const told: (string | undefined)[] = []
    const audit = createAudit()
    audit.subscribe(
      (event) => void told.push(event.reason ?? event.type),
      ({ gate }) => gate === 'key',
    )
    audit.subscribe({ name: 'ledger', write }, { required: true })
    return { told, ...deciding(() => granted({ kind: 'key', id: 'the-key' }), { audit, onDenied }) }
  }

  test.each<[string, () => void | Promise<void>]>([
    [
      'throws',
      () => {
        throw new Error('the disk is full')
      },
    ],
    ['rejects', async () => Promise.reject(new Error('the disk is full'))],
  ])('[core-required-sink] that %s turns a grant into 503, reported once', async (_name, write) => {
    for (const onDenied of ['respond', 'next'] as const) {
      const { app, told, handled, errors } = withRequiredSink(write, onDenied)
      const response = await request(app).get('/1').expect(503)
      expect(response.headers['retry-after']).toBe('1')
      expect(response.headers['www-authenticate']).toBeUndefined()
      expect(told).toEqual(['audit_sink'])
      expect(handled()).toBe(0)
      expect(errors).toHaveLength(onDenied === 'next' ? 1 : 0)
    }
  })

  test('[core-required-sink] that fails leaves no principal behind for an error handler', async () => {
    const { audit, app } = { audit: createAudit(), app: express() }
    audit.subscribe(() => Promise.reject(new Error('the disk is full')), { required: true })
    const badge = { kind: 'key' as const, id: 'the-second' }
    app.get(
      '/',
      keyGate(),
      keyGate(
        { audit, onDenied: 'next' },
        decides(() => granted(badge)),
      ),
    )
    app.use(((error, incoming, response, _next) => {
      response.status(error.status).json(incoming.principal ?? null)
    }) as ErrorRequestHandler)
    await request(app).get('/').set('x-key', 'good').expect(503, { kind: 'key', id: 'the-key' })
  })

  test.each(['respond', 'next'] as const)(
    '[core-required-sink] that fails is answered in the form of the gate (onDenied: %s)',
    async (onDenied) => {
      const { audit, decisions } = recordDecisions()
      audit.subscribe(() => Promise.reject(new Error('the disk is full')), { required: true })
      const gate = keyGate(
        { audit, onDenied },
        {
          shape: ({ status }, refusal) => ({
            status,
            headers: { 'Content-Type': 'text/plain' },
            problem: {},
            body: `Wait: ${refusal.outcome === 'unavailable' ? refusal.dependency : ''}`,
          }),
        },
      )
      const app = express().get('/', gate)
      app.use(((error, _incoming, response, _next) => {
        const { status, headers, body } = (error as AccessDeniedError).answer
        response.status(status).set(headers).send(body)
      }) as ErrorRequestHandler)
      const response = await request(app).get('/').set('x-key', 'good').expect(503)
      expect(response.headers['content-type']).toContain('text/plain')
      expect(response.text).toBe('Wait: audit_sink')
      expect(decisions()).toEqual(['audit_sink'])
    },
  )

  test('[core-required-sink] that fails under a shape that fails is 503 in the plain form', async () => {
    const { audit, decisions } = recordDecisions()
    audit.subscribe(() => Promise.reject(new Error('the disk is full')), { required: true })
    const gate = keyGate(
      { audit },
      {
        shape: () => {
          throw new TypeError('a bug')
        },
      },
    )
    const response = await request(express().get('/', gate)).get('/').set('x-key', 'good').expect(503)
    expect(response.headers['content-type']).toBe(PROBLEM)
    expect(decisions()).toEqual(['audit_sink'])
  })

  test('[core-required-sink] that takes the event has the request granted, reported once', async () => {
    for (const write of [() => undefined, async () => undefined]) {
      const { app, told, handled } = withRequiredSink(write)
      await request(app).get('/1').expect(200)
      expect([told, handled()]).toEqual([['access.granted'], 1])
    }
  })
})
