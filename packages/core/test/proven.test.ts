import { createAudit, firstPresented, principalOf } from '@countersign/core'
import { describe, expect, test } from '@jest/globals'
import express, { type Request, type RequestHandler } from 'express'
import request from 'supertest'
import { recordAudit } from '../../../test/support/audit-recorder.js'
import { appOf, badgeGate, keyGate } from './harness.js'

const forged = Object.freeze({ kind: 'key' as const, id: 'forged' })

/** Ways in which something that no gate granted gets on a request. */
const plants: [string, (incoming: Request) => void][] = [
  [
    'that another middleware set',
    (incoming) => {
      incoming.principal = forged
    },
  ],
  [
    'of a body that was merged into the request',
    (incoming) => void Object.assign(incoming, { principal: { ...forged } }),
  ],
  [
    'behind a getter',
    (incoming) => void Object.defineProperty(incoming, 'principal', { get: () => forged, configurable: true }),
  ],
  [
    'behind a getter and a setter that does nothing',
    (incoming) =>
      void Object.defineProperty(incoming, 'principal', {
        get: () => forged,
        set: () => undefined,
        configurable: true,
      }),
  ],
  [
    'behind an accessor that first shows what was set',
    (incoming) => {
      let shown: unknown
      Object.defineProperty(incoming, 'principal', {
        get: () => {
          const value = shown
          shown = forged
          return value
        },
        set: (value) => {
          shown = value
        },
        configurable: true,
      })
    },
  ],
  [
    'behind a getter that throws',
    (incoming) =>
      void Object.defineProperty(incoming, 'principal', {
        get: () => {
          throw new Error('no')
        },
        configurable: true,
      }),
  ],
  [
    'that is not writable',
    (incoming) => void Object.defineProperty(incoming, 'principal', { value: forged, configurable: true }),
  ],
]

/** Those that cannot be replaced. */
const immovable: [string, (incoming: Request) => void][] = [
  [
    'that is neither writable nor configurable',
    (incoming) => void Object.defineProperty(incoming, 'principal', { value: forged }),
  ],
  [
    'behind a getter that is not configurable',
    (incoming) => void Object.defineProperty(incoming, 'principal', { get: () => forged }),
  ],
]

const planting =
  (plant: (incoming: Request) => void): RequestHandler =>
  (incoming, _response, next) => {
    plant(incoming)
    next()
  }

function appBehind(plant: (incoming: Request) => void, make: Parameters<typeof appOf>[0]) {
  const built = appOf(make)
  const app = express().use(planting(plant), built.app)
  app.set('env', 'test')
  return { ...built, app }
}

describe.each(plants)('a principal %s', (_name, plant) => {
  test('[core-proven] lets no gate pass: without a credential it is 401, and the error handlers do not see it', async () => {
    const { app, events, handled } = appBehind(plant, (audit) => keyGate({ audit }))
    await request(app).get('/1').expect(401)
    expect([events.map(({ reason }) => reason), handled()]).toEqual([['missing'], 0])
    const seen: unknown[] = []
    const handing = express().use(planting(plant), keyGate({ audit: createAudit(), onDenied: 'next' }), ((
      error,
      incoming,
      response,
      _next,
    ) => {
      seen.push(incoming.principal)
      response.status(error.status).end()
    }) as express.ErrorRequestHandler)
    await request(handing).get('/').expect(401)
    expect(seen).toEqual([undefined])
  })

  test('[core-proven] is replaced by what the gate grants', async () => {
    const { app } = appBehind(plant, (audit) => keyGate({ audit }))
    const response = await request(app).get('/1').set('x-key', 'good').expect(200)
    expect(response.body).toEqual({ principal: { kind: 'key', id: 'the-key' } })
  })

  test('[core-proven] does not survive optional(), of a gate or of a composition', async () => {
    for (const compose of [false, true]) {
      const { app, events } = appBehind(plant, (audit) =>
        (compose ? firstPresented(keyGate({ audit }), badgeGate({ audit })) : keyGate({ audit })).optional(),
      )
      await request(app).get('/1').expect(200, { principal: null })
      expect(events).toEqual([])
    }
  })

  test('[core-proven] is never returned by principalOf', async () => {
    const app = express().use(planting(plant), badgeGate({ audit: createAudit() }), (incoming, response) => {
      expect(() => principalOf(incoming, 'key')).toThrow('no gate of that kind granted this request')
      response.json(principalOf(incoming, 'badge'))
    })
    await request(app).get('/').set('x-badge', 'b1').expect(200, { kind: 'badge', id: 'b1' })
  })
})

describe.each(immovable)('a principal %s', (_name, plant) => {
  test.each([
    ['a good credential', { 'x-key': 'good' }],
    ['a bad one', { 'x-key': 'bad' }],
    ['none', {}],
  ])(
    '[core-proven] fails the gate with 500 and one event: with %s',
    async (_title, headers: Record<string, string>) => {
      for (const isOptional of [false, true]) {
        const { app, events, handled } = appBehind(plant, (audit) => {
          const gate = keyGate({ audit })
          return isOptional ? gate.optional() : gate
        })
        await request(app).get('/1').set(headers).expect(500)
        expect(events).toMatchObject([{ reason: 'internal_error', attributes: { error: 'TypeError' } }])
        expect(handled()).toBe(0)
      }
    },
  )
})

test('[core-proven] a principal that is kept from one request counts for nothing on the next one', async () => {
  const audit = createAudit()
  const app = express()
  let kept: Request['principal']
  app.get('/', keyGate({ audit }), (incoming, response) => {
    kept = incoming.principal
    response.end()
  })
  app.get(
    '/later',
    planting((incoming) => {
      incoming.principal = kept
    }),
    keyGate({ audit }).optional(),
    (incoming, response) => {
      expect(() => principalOf(incoming, 'key')).toThrow('no gate of that kind granted this request')
      response.json(incoming.principal ?? null)
    },
  )
  await request(app).get('/').set('x-key', 'good').expect(200)
  expect(kept).toEqual({ kind: 'key', id: 'the-key' })
  await request(app).get('/later').expect(200, 'null')
})

test('[core-proven] what is put on req.principal behind a gate is never returned by principalOf', async () => {
  const app = express().use(
    keyGate({ audit: createAudit() }),
    planting((incoming) => {
      incoming.principal = forged
    }),
    (incoming, response) => void response.json(principalOf(incoming, 'key')),
  )
  await request(app).get('/').set('x-key', 'good').expect(200, { kind: 'key', id: 'the-key' })
})

test('[core-proven] a grant that a required sink did not take is gone for principalOf and for the next gate', async () => {
  const { audit } = recordAudit()
  let isFull = true
  audit.subscribe(() => (isFull ? Promise.reject(new Error('the disk is full')) : undefined), { required: true })
  const gate = keyGate({ audit, onDenied: 'next' })
  const seen: unknown[] = []
  const app = express()
  app.use(
    planting((incoming) => void Object.assign(incoming, { principal: forged })),
    gate,
  )
  app.use(((_error, incoming, _response, next) => {
    seen.push(incoming.principal)
    expect(() => principalOf(incoming, 'key')).toThrow('no gate of that kind granted this request')
    isFull = false
    next()
  }) as express.ErrorRequestHandler)
  app.get('/', gate, (incoming, response) => void response.json(incoming.principal))
  // The second gate verifies once more, and its own event is taken.
  await request(app).get('/').set('x-key', 'good').expect(200, { kind: 'key', id: 'the-key' })
  expect(seen).toEqual([undefined])
})

test.each([
  ['no kind', { id: 'x' }],
  ['no id', { kind: 'key' }],
  ['an id that is not a text', { kind: 'key', id: 7 }],
  ['text for a principal', 'the-key'],
])('[core-throw] a grant with %s is a bug', async (_name, principal) => {
  const { app, events, handled } = appOf((audit) =>
    keyGate({ audit }, { verify: () => ({ outcome: 'granted', principal: principal as never }) }),
  )
  await request(app).get('/1').set('x-key', 'good').expect(500)
  expect([events.map(({ reason }) => reason), handled()]).toEqual([['internal_error'], 0])
})

describe('a grant of another request', () => {
  /** Serves `/`: a gate, then whatever `make` builds from the granted request; says whose principal that has. */
  async function principalOn(make: (granted: Request) => Request): Promise<unknown> {
    const app = express()
    app.get('/', keyGate({ audit: createAudit() }), (incoming, response) => {
      const other = make(incoming)
      try {
        response.json(principalOf(other, 'key'))
      } catch (error) {
        response.json((error as { code: string }).code)
      }
    })
    return (await request(app).get('/').set('X-Key', 'good')).body
  }

  const copyWithSymbols = (granted: Request): Request => {
    const copy = Object.create(express.request)
    for (const key of Reflect.ownKeys(granted)) {
      const { value } = Object.getOwnPropertyDescriptor(granted, key) ?? {}
      Object.defineProperty(copy, key, { value, configurable: true, writable: true, enumerable: true })
    }
    return copy
  }

  test.each<[string, (granted: Request) => Request, unknown]>([
    ['is its own on the request itself', (granted) => granted, { kind: 'key', id: 'the-key' }],
    ['is not inherited', (granted) => Object.create(granted), 'ERR_COUNTERSIGN_PRINCIPAL_MISSING'],
    [
      'is not copied with its properties',
      (granted) => ({ ...granted }) as Request,
      'ERR_COUNTERSIGN_PRINCIPAL_MISSING',
    ],
    ['is not copied with its symbols', copyWithSymbols, 'ERR_COUNTERSIGN_PRINCIPAL_MISSING'],
  ])('[core-proven] %s', async (_title, make, expected) => {
    expect(await principalOn(make)).toEqual(expected)
  })
})
