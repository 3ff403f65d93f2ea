import { principalOf } from '@countersign/core'
import { composeGates, denied, granted } from '@countersign/core/gate-kit'
import { describe, expect, test } from '@jest/globals'
import express from 'express'
import request from 'supertest'
import { recordAudit } from '../../../test/support/audit-recorder.js'
import { appOf, badgeGate, decides, keyGate } from './harness.js'

describe('gate.optional()', () => {
  test('[core-optional] lets a request without any credential through, with no principal and no event', async () => {
    const { app, events, handled } = appOf((audit) => keyGate({ audit }).optional())
    await request(app).get('/1').expect(200, { principal: null })
    expect([events, handled()]).toEqual([[], 1])
  })

  test('[core-optional] still refuses a bad credential, and attaches a good one', async () => {
    const { app, events, handled } = appOf((audit) => keyGate({ audit }).optional())
    await request(app).get('/1').set('x-key', 'bad').expect(401)
    await request(app)
      .get('/1')
      .set('x-key', 'good')
      .expect(200, { principal: { kind: 'key', id: 'the-key' } })
    expect(events.map(({ reason }) => reason ?? 'granted')).toEqual(['unknown', 'granted'])
    expect(handled()).toBe(1)
  })

  test('[core-optional] of a composition asks for the absence of every credential', async () => {
    const { app, events } = appOf((audit) =>
      composeGates([keyGate({ audit }), badgeGate({ audit })], { audit }).optional(),
    )
    await request(app).get('/1').expect(200, { principal: null })
    await request(app).get('/1').set('x-key', 'bad').expect(401)
    await request(app).get('/1').set({ 'x-key': 'good', 'x-badge': 'b' }).expect(400)
    expect(events.map(({ reason }) => reason)).toEqual(['unknown', 'ambiguous'])
  })

  test('[core-optional] takes a read() that throws for a credential: the gate decides', async () => {
    const { app, handled, events } = appOf((audit) =>
      keyGate(
        { audit },
        {
          read: () => {
            throw new TypeError('bug')
          },
        },
      ).optional(),
    )
    await request(app).get('/1').expect(500)
    expect(events.map(({ reason }) => reason)).toEqual(['internal_error'])
    expect(handled()).toBe(0)
  })

  test.each([undefined, null, denied('missing'), denied('missing', { detail: { attributes: { why: 'other' } } })])(
    '[core-optional] takes it that nothing is presented when read() returns %j',
    async (credential) => {
      const { app, handled } = appOf((audit) =>
        keyGate({ audit }, { read: () => credential as undefined | ReturnType<typeof denied<'missing'>> }).optional(),
      )
      await request(app).get('/1').set('x-key', 'bad').expect(200, { principal: null })
      expect(handled()).toBe(1)
    },
  )

  test('[core-optional] refuses what is presented in a form that cannot be read', async () => {
    const { app, events } = appOf((audit) => keyGate({ audit }).optional())
    await request(app)
      .get('/1')
      .set('x-key', ['good', 'good'] as unknown as string)
      .expect(400)
    expect(events.map(({ reason }) => reason)).toEqual(['ambiguous'])
  })

  test('is a gate itself', () => {
    const gate = keyGate().optional()
    expect([gate.kind, gate.reads, gate.challenge()[0]?.scheme, typeof gate.optional]).toEqual([
      'key',
      ['x-key'],
      'Key',
      'function',
    ])
  })
})

describe('stacked gates', () => {
  function stacked() {
    const { audit, events } = recordAudit()
    const app = express()
    app.use(badgeGate({ audit }).optional())
    app.get('/', keyGate({ audit }), (incoming, response) => {
      response.json({
        last: incoming.principal,
        key: principalOf(incoming, 'key'),
        badge: principalOf(incoming, 'badge'),
      })
    })
    app.use(((error, _request, response, _next) => {
      response.status(500).json({ name: error.name, code: error.code, message: error.message })
    }) as express.ErrorRequestHandler)
    return { app, events }
  }

  test('[core-stacking] leave the last principal in req.principal, and every kind to principalOf', async () => {
    const { app, events } = stacked()
    await request(app)
      .get('/')
      .set({ 'x-key': 'good', 'x-badge': 'b7' })
      .expect(200, {
        last: { kind: 'key', id: 'the-key' },
        key: { kind: 'key', id: 'the-key' },
        badge: { kind: 'badge', id: 'b7' },
      })
    expect(events.map(({ gate, type, http }) => [gate, type, http?.route])).toEqual([
      ['badge', 'access.granted', '*'],
      ['key', 'access.granted', '/'],
    ])
  })

  test('[core-principal-of] of a kind that no gate granted is a TypeError with a code: a mistake in the routes', async () => {
    const { app } = stacked()
    const response = await request(app).get('/').set('x-key', 'good').expect(500)
    expect(response.body).toEqual({
      name: 'TypeError',
      code: 'ERR_COUNTERSIGN_PRINCIPAL_MISSING',
      message:
        "principalOf(req, 'badge'): no gate of that kind granted this request. Mount the gate before this handler. " +
        'See https://countersign.example/errors/ERR_COUNTERSIGN_PRINCIPAL_MISSING',
    })
  })

  test('[core-stacking] of one kind give the last of that kind', async () => {
    const { audit } = recordAudit()
    const app = express()
    const named = (id: string) =>
      keyGate(
        { audit },
        decides(() => granted({ kind: 'key', id })),
      )
    app.get('/', named('a'), named('b'), badgeGate({ audit }), (incoming, response) => {
      response.json([principalOf(incoming, 'key'), principalOf(incoming, 'badge')])
    })
    const response = await request(app).get('/').set('x-badge', 'c')
    expect(response.body).toEqual([
      { kind: 'key', id: 'b' },
      { kind: 'badge', id: 'c' },
    ])
  })
})

describe('what an event says of the request', () => {
  test('[core-route] is the template of the route, a star under app.use, or the option; never the query', async () => {
    const { audit, events } = recordAudit()
    const app = express()
    app.get('/orders/:id', keyGate({ audit }))
    app.get('/billed/:id', keyGate({ audit, route: 'billing' }))
    app.use('/raw', keyGate({ audit }))
    for (const path of ['/orders/7?token=s3cret', '/billed/7?token=s3cret', '/raw/s3cret?token=s3cret']) {
      await request(app).get(path).expect(401)
    }
    expect(events.map(({ http }) => http?.route)).toEqual(['/orders/:id', 'billing', '*'])
    expect(JSON.stringify(events)).not.toContain('s3cret')
  })

  test("[core-request-id] is the app's id of the request, or a random one, never the caller's header", async () => {
    const { audit, events } = recordAudit()
    const app = express()
    app.get('/own', (incoming, _response, next) => {
      Object.assign(incoming, { id: 'app-1' })
      next()
    })
    app.use(keyGate({ audit }))
    await request(app).get('/own').set('x-request-id', 'forged')
    await request(app).get('/other').set('x-request-id', 'forged')
    expect(events[0]?.http?.requestId).toBe('app-1')
    expect(events[1]?.http?.requestId).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4/)
    expect(JSON.stringify(events)).not.toContain('forged')
  })

  test("[core-forwarded] takes the client's address from X-Forwarded-For through trust proxy alone", async () => {
    for (const [trust, address] of [
      [false, /127\.0\.0\.1$/],
      [true, /^10\.1\.1\.1$/],
    ] as const) {
      const { app, events } = appOf((audit) => keyGate({ audit }))
      app.set('trust proxy', trust)
      await request(app).get('/1').set('x-forwarded-for', '10.1.1.1')
      expect(events[0]?.http?.clientAddress).toMatch(address)
    }
  })
})
