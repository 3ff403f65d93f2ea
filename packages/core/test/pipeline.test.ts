import { setImmediate as tick } from 'node:timers/promises'
import { inspect } from 'node:util'
import { createAudit, audit as defaultAudit, firstPresented } from '@countersign/core'
import { denied, granted, unavailable } from '@countersign/core/gate-kit'
import { describe, expect, test } from '@jest/globals'
import express, { type Request } from 'express'
import request from 'supertest'
import { recordAudit } from '../../../test/support/audit-recorder.js'
import { fakeClock } from '../../../test/support/fake-clock.js'
import { serve } from '../../../test/support/http-server.js'
import { decides, deciding, type KeyVerdict, keyApp, keyGate } from './harness.js'

const grant = () => granted({ kind: 'key' as const, id: 'the-key' })

describe('a granted request', () => {
  test('[core-order] takes the time, reads, verifies, demands, freezes and attaches the principal, records, and calls the handler, in this order', async () => {
    const steps: string[] = []
    let seen: Request | undefined
    const clock = fakeClock()
    const principal = { kind: 'key' as const, id: 'the-key' }
    const audit = createAudit({
      sinks: [
        (event) => {
          steps.push(`told of ${event.type}, attached: ${seen?.principal === principal}`)
        },
      ],
    })
    const gate = keyGate(
      {
        audit,
        clock: {
          now: clock.now,
          monotonic: () => {
            steps.push('time')
            return clock.monotonic()
          },
        },
      },
      {
        read: (incoming) => {
          seen = incoming
          steps.push('read')
          return 'good'
        },
        verify: () => {
          steps.push('verify')
          clock.advance(3)
          return granted(principal)
        },
        demand: (verdict) => {
          steps.push('demand')
          return verdict
        },
        decided: (verdict, credential, incoming) => {
          steps.push(`decided: ${verdict.outcome} ${credential}, attached: ${incoming.principal !== undefined}`)
        },
      },
    )
    const app = express().get('/', gate, (incoming, response) => {
      steps.push(`handle, frozen: ${Object.isFrozen(incoming.principal)}`)
      response.end()
    })
    await request(app).get('/').expect(200)
    expect(steps).toEqual([
      'time',
      'read',
      'verify',
      'demand',
      'decided: granted good, attached: false',
      'time',
      'told of access.granted, attached: true',
      'handle, frozen: true',
    ])
  })

  test('[core-one-event] is one event, with who it was, on which route, and how long it took', async () => {
    const clock = fakeClock()
    const { app, events } = keyApp(
      { clock },
      {
        read: () => 'whatever',
        verify: () => {
          clock.advance(1.5)
          return granted(
            { kind: 'key', id: 'the-key' },
            { credential: { id: 'c1', version: 2 }, attributes: { format: 'x' }, storeMs: 1.23456 },
          )
        },
      },
    )
    await request(app).get('/7?secret=1').set('User-Agent', 'tests').expect(200)
    expect(events).toEqual([
      {
        schema: 1,
        id: expect.stringMatching(/^[0-9a-f-]{36}$/),
        time: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
        type: 'access.granted',
        outcome: 'success',
        severity: 'info',
        gate: 'key',
        owasp: 'authn_login_success',
        principal: { kind: 'key', id: 'the-key' },
        credential: { id: 'c1', version: 2 },
        http: {
          method: 'GET',
          route: '/:id',
          requestId: expect.stringMatching(/^[0-9a-f-]{36}$/),
          clientAddress: expect.stringContaining('127.0.0.1'),
          userAgent: 'tests',
        },
        latencyMs: 1.5,
        storeMs: 1.235,
        attributes: { format: 'x' },
      },
    ])
  })

  test('[core-same-tick] that is decided already goes through in the same tick, with no promise', async () => {
    const order: string[] = []
    const { audit } = recordAudit()
    const app = express()
    app.get(
      '/',
      (_request, _response, next) => {
        queueMicrotask(() => order.push('a microtask later'))
        next()
      },
      keyGate({ audit }, decides(grant)),
      (_request, response) => {
        order.push('handler')
        response.end()
      },
    )
    await request(app).get('/').expect(200)
    expect(order).toEqual(['handler', 'a microtask later'])
  })

  test('[core-same-tick] makes the gate add nothing to the request but req.principal, and its grant where no dump of the request shows it', async () => {
    let before: PropertyKey[] = []
    let dump = ''
    const app = express()
    const names = (incoming: Request) => Reflect.ownKeys(incoming)
    app.get(
      '/',
      (incoming, _response, next) => {
        before = names(incoming)
        next()
      },
      keyGate({ audit: createAudit() }, { ...decides(grant), read: () => 'a-credential-that-no-dump-shows' as never }),
      (incoming, response) => {
        const added = names(incoming).filter((name) => !before.includes(name))
        response.json({ added: added.map(String), seen: Object.keys(incoming).filter((name) => added.includes(name)) })
        dump = inspect(incoming, { depth: 9 })
      },
    )
    const { body } = await request(app).get('/')
    expect(body).toEqual({ added: ['principal'], seen: ['principal'] })
    expect(dump).toContain("principal: { kind: 'key', id: 'the-key' }")
    expect(dump).not.toContain('a-credential-that-no-dump-shows')
  })

  test('waits for a promised verdict', async () => {
    const { app, events, handled } = deciding(async () => {
      await tick()
      return grant()
    })
    await request(app)
      .get('/1')
      .expect(200, { principal: { kind: 'key', id: 'the-key' } })
    expect(events).toHaveLength(1)
    expect(handled()).toBe(1)
  })

  test('of a gate without an emitter is reported to the process-wide one', async () => {
    const told: string[] = []
    const unsubscribe = defaultAudit.subscribe((event) => void told.push(event.type))
    const app = express().get('/', keyGate({}, decides(grant)), (_request, response) => void response.end())
    await request(app).get('/').expect(200)
    unsubscribe()
    expect(told).toEqual(['access.granted'])
  })
})

describe('a refused request', () => {
  test.each<[string, KeyVerdict, number, object]>([
    ['denied', denied('unknown'), 401, { type: 'access.denied', outcome: 'failure', reason: 'unknown' }],
    [
      'unavailable',
      unavailable('key_store'),
      503,
      { type: 'access.unavailable', outcome: 'error', severity: 'critical', reason: 'key_store' },
    ],
  ])('[core-one-event] (%s) is one event and never reaches its handler', async (_name, verdict, status, event) => {
    for (const decide of [() => verdict, async () => verdict]) {
      const { app, events, handled } = deciding(decide)
      await request(app).get('/1').expect(status)
      expect(events).toMatchObject([{ ...event, principal: { kind: 'key', id: 'unknown' }, http: { status } }])
      expect(handled()).toBe(0)
    }
  })

  test('names a caller only when the verdict does, and has the severity and label of its reason', async () => {
    const { app, events } = deciding(() => denied('too_little', { detail: { principalId: 'scheduler' } }))
    await request(app).get('/1').expect(403)
    expect(events).toMatchObject([
      { severity: 'info', owasp: 'authz_fail', principal: { kind: 'key', id: 'scheduler' } },
    ])
  })
})

test('[core-next-once] a handler that throws or rejects after a grant is never called a second time', async () => {
  for (const decide of [grant, async () => grant()]) {
    const { audit, events } = recordAudit()
    let handled = 0
    const app = express()
    app.set('env', 'test')
    app.get('/', keyGate({ audit }, decides(decide)), async () => {
      handled += 1
      throw new Error('the handler fails')
    })
    await request(app).get('/').expect(500)
    expect([handled, events.length]).toEqual([1, 1])
  }
})

test('[core-contained] what next() throws after a promised verdict is contained and answered with 500', async () => {
  const { audit, events } = recordAudit()
  const gate = keyGate(
    { audit },
    decides(async () => grant()),
  )
  const running = await serve((incoming, response) =>
    gate(incoming as Request, response as Parameters<typeof gate>[1], () => {
      throw new Error('not a router')
    }),
  )
  const response = await fetch(running.url)
  expect(response.status).toBe(500)
  // Jest fails a test from which a rejection escapes.
  await tick()
  await running.close()
  expect(events.map((event) => event.type)).toEqual(['access.granted'])
})

test('[core-next-once] what next() throws immediately is never taken for a failure of the gate', async () => {
  for (const [credential, onDenied] of [
    ['good', 'respond'],
    ['bad', 'next'],
  ] as const) {
    const { audit, events } = recordAudit()
    const gate = keyGate({ audit, onDenied })
    let calls = 0
    let thrown: unknown
    const running = await serve((incoming, response) => {
      try {
        gate(incoming as Request, response as Parameters<typeof gate>[1], () => {
          calls += 1
          throw new TypeError('not a router')
        })
      } catch (error) {
        thrown = error
        response.end()
      }
    })
    await fetch(running.url, { headers: { 'x-key': credential } })
    await running.close()
    expect([calls, events.length, thrown]).toEqual([1, 1, new TypeError('not a router')])
    expect(events[0]?.reason).toBe(credential === 'good' ? undefined : 'unknown')
  }
})

test('[core-next-once] a verdict that is a thenable of another library is waited for, once', async () => {
  const thenable = {
    // biome-ignore lint/suspicious/noThenProperty: a promise of another library
    then: (resolve: (verdict: KeyVerdict) => void) => void setImmediate(() => resolve(grant())),
  }
  const later = () => thenable as unknown as Promise<KeyVerdict>
  for (const changes of [decides(later), { ...decides(grant), demand: later }]) {
    const { app, events, handled } = keyApp({}, changes)
    await request(app).get('/1').expect(200)
    expect([events.length, handled()]).toEqual([1, 1])
  }
})

test.each<[string, KeyVerdict | undefined]>([
  ['a grant', grant()],
  ['a refusal', denied('unknown')],
])('[core-throw] a throw while a credential is taken off the request is a bug: %s', async (_name, verdict) => {
  let calls = 0
  const { app, events, handled } = keyApp(
    {},
    {
      ...decides(() => verdict as KeyVerdict),
      decided: () => {
        calls += 1
        throw new Error('a bug')
      },
    },
  )
  await request(app).get('/1').expect(500)
  expect([calls, handled(), events.map(({ reason }) => reason)]).toEqual([1, 0, ['internal_error']])
})

test('[core-throw] a detail that cannot be read is a bug in its event: one event, and 500', async () => {
  const detail = {
    get attributes(): never {
      throw new TypeError('a bug')
    },
  }
  for (const verdict of [granted({ kind: 'key', id: 'a' } as const, detail), denied('unknown' as const, { detail })]) {
    const { app, events, handled } = deciding(() => verdict)
    await request(app).get('/1').expect(500)
    expect([handled(), events.map(({ reason }) => reason)]).toEqual([0, ['internal_error']])
  }
})

test("[core-handler-name] a gate bears its maker's name: in Express's layers and in stack traces", async () => {
  const gate = keyGate({ audit: createAudit() })
  expect([gate.name, gate.optional().name, firstPresented(gate).name]).toEqual([
    'requireKey',
    'requireKey',
    'firstPresented',
  ])
  expect([gate.kind, gate.optional().kind]).toEqual(['key', 'key'])
  const { prepareStackTrace } = Error
  const app = express().get('/', gate, (_incoming, response) => {
    // Jest's own reading of a stack looks names up in source maps.
    Error.prepareStackTrace = (_error, sites) => sites.map((site) => site.getFunctionName()).join(' ')
    response.send(new Error('where am I').stack)
  })
  try {
    const { text } = await request(app).get('/').set('x-key', 'good').expect(200)
    expect(text).toContain('requireKey')
  } finally {
    Error.prepareStackTrace = prepareStackTrace
  }
})

test('[core-one-event] an emitter that does not say whether anybody listens gets the event', async () => {
  const { audit, events } = recordAudit()
  const { emit, subscribe } = audit
  const { app } = keyApp({ audit: { emit, subscribe } as unknown as typeof audit })
  await request(app).get('/1').expect(401)
  expect(events).toHaveLength(1)
})
