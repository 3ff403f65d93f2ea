import { firstPresented, type Gate, type GateOptions, type PrincipalBase } from '@countersign/core'
import { composeGates, defineGate, denied, fieldLines, granted, parseAuthorization } from '@countersign/core/gate-kit'
import { describe, expect, test } from '@jest/globals'
import express, { type Express } from 'express'
import request from 'supertest'
import { recordAudit } from '../../../test/support/audit-recorder.js'

interface Shape {
  readonly name: string
  readonly realm?: string
  readonly reads: readonly string[]
  readonly recognises?: 'own' | 'any'
  readonly owns?: (incoming: express.Request) => boolean
  /** What is presented to the gate, or undefined. */
  readonly read: (incoming: express.Request) => string | undefined
}

/** A gate that grants what is presented with `good` in it. */
function gateOf({ name, realm, reads, recognises, owns, read }: Shape, audit: GateOptions['audit']): Gate {
  return defineGate<string, PrincipalBase, 'missing' | 'bad', 'store'>({
    name,
    middleware: `require${name[0]?.toUpperCase()}${name.slice(1)}`,
    reads,
    recognises,
    owns,
    read,
    verify: (credential) => (credential.includes('good') ? granted({ kind: name, id: name }) : denied('bad')),
    dependencies: ['store'],
    reasons: {
      missing: { status: 401, owasp: 'authn_login_fail' },
      bad: { status: 401, owasp: 'authn_login_fail' },
    },
    challenge: () => [{ scheme: realm ?? name, parameters: { realm: 'tests' } }],
    options: { audit },
  })
}

const field = (name: string) => (incoming: express.Request) => fieldLines(incoming, name)[0]

const SIGNED: Shape = { name: 'signed', reads: ['x-signature', 'x-nonce'], read: field('x-signature') }
const BEARER: Shape = { name: 'bearer', realm: 'Bearer', reads: ['authorization'], read: field('authorization') }
const AGENT: Shape = {
  name: 'agent',
  realm: 'Agent',
  reads: ['authorization'],
  recognises: 'own',
  read: (incoming) => {
    const authorization = parseAuthorization(incoming)
    const isOwn = authorization.kind === 'credentials' && authorization.token.startsWith('agent.')
    return isOwn ? authorization.token : undefined
  },
}
const SESSION: Shape = { name: 'session', realm: 'Session', reads: ['cookie'], read: field('cookie') }

function appOf(...shapes: [Shape, ...Shape[]]) {
  const { audit, events } = recordAudit()
  const gates = shapes.map((shape) => gateOf(shape, audit)) as [Gate, ...Gate[]]
  const app = express()
  app.all('/', firstPresented(...gates), (incoming, response) => {
    response.json(incoming.principal)
  })
  return { app, events, decided: () => events.map(({ gate, reason }) => [gate, reason ?? 'granted']) }
}

const ask = (app: Express, headers: Record<string, string>) => request(app).get('/').set(headers)

describe('presence commits', () => {
  test('[core-presence-commits] the gate whose credential is presented decides alone, whatever the order', async () => {
    for (const shapes of [
      [SIGNED, BEARER],
      [BEARER, SIGNED],
    ] as [Shape, Shape][]) {
      const { app, decided } = appOf(...shapes)
      expect((await ask(app, { 'x-signature': 'good' })).body).toEqual({ kind: 'signed', id: 'signed' })
      expect((await ask(app, { authorization: 'Bearer good' })).body).toEqual({ kind: 'bearer', id: 'bearer' })
      expect(decided()).toEqual([
        ['signed', 'granted'],
        ['bearer', 'granted'],
      ])
    }
  })

  test('[core-presence-commits] a bad credential is refused by its own gate, with no fallback to another', async () => {
    const { app, decided } = appOf(SIGNED, BEARER, SESSION)
    const response = await ask(app, { 'x-signature': 'junk' })
    expect(response.status).toBe(401)
    expect(response.headers['www-authenticate']).toBe('signed realm="tests"')
    expect(decided()).toEqual([['signed', 'bad']])
  })
})

describe('gates that read the same header', () => {
  test('[core-same-header] are one credential: the first that presents owns it', async () => {
    const { app, decided } = appOf(AGENT, BEARER)
    expect((await ask(app, { authorization: 'Bearer agent.good' })).body).toMatchObject({ kind: 'agent' })
    expect((await ask(app, { authorization: 'Bearer good' })).body).toMatchObject({ kind: 'bearer' })
    expect((await ask(app, { authorization: 'Bearer agent.junk' })).status).toBe(401)
    expect(decided()).toEqual([
      ['agent', 'granted'],
      ['bearer', 'granted'],
      ['agent', 'bad'],
    ])
  })

  test('[core-unreachable] refuse the order in which one could never be reached, and say the right one', () => {
    const { audit } = recordAudit()
    const make =
      (...shapes: Shape[]) =>
      () =>
        composeGates(shapes.map((shape) => gateOf(shape, audit)) as [Gate])
    expect(make(BEARER, AGENT)).toThrow(
      expect.objectContaining({
        name: 'TypeError',
        code: 'ERR_COUNTERSIGN_GATE_UNREACHABLE',
        message:
          'firstPresented: requireAgent can never be reached, because requireBearer before it accepts any credential in ' +
          'the same header field. Put it first: firstPresented(requireAgent, requireBearer). ' +
          'See https://countersign.example/errors/ERR_COUNTERSIGN_GATE_UNREACHABLE',
      }),
    )
    expect(make(SIGNED, BEARER, AGENT)).toThrow(
      'Put it first: firstPresented(requireSigned, requireAgent, requireBearer).',
    )
    expect(make(BEARER, { ...BEARER, name: 'other' })).toThrow(
      'requireOther can never be reached, because requireBearer before it accepts any credential in the same header ' +
        'field. Keep one of them.',
    )
    expect(make(AGENT, { ...AGENT, name: 'other' }, BEARER)).not.toThrow()
    // A cookie field holds many credentials, each under a name of its own.
    expect(make(SESSION, { ...SESSION, name: 'other' })).not.toThrow()
  })

  test('[core-unreachable] are looked at inside a composition, field by field, and behind optional()', () => {
    const { audit } = recordAudit()
    const [signed, agent, bearer] = [SIGNED, AGENT, BEARER].map((shape) => gateOf(shape, audit)) as [Gate, Gate, Gate]
    expect(() => firstPresented(firstPresented(signed, bearer), agent)).toThrow('can never be reached')
    expect(() => firstPresented(bearer.optional(), agent)).toThrow('can never be reached')
    // The composition takes up any signature, and of bearer tokens its own alone.
    expect(() => firstPresented(firstPresented(signed, agent), bearer)).not.toThrow()
  })
})

describe('two different headers with credentials', () => {
  test.each([
    ['both good', 'good', 'Bearer good'],
    ['a junk signature beside a good token', 'junk', 'Bearer good'],
    ['a good signature beside a junk token', 'good', 'Bearer junk'],
    ['an empty token', 'good', ''],
  ])('[core-ambiguous] are refused with 400, whatever they are worth: %s', async (_name, signature, authorization) => {
    for (const shapes of [
      [SIGNED, BEARER],
      [BEARER, SIGNED],
    ] as [Shape, Shape][]) {
      const { app, events, decided } = appOf(...shapes)
      const response = await ask(app, { 'x-signature': signature, authorization })
      expect(response.status).toBe(400)
      expect(response.body).toEqual({
        type: 'about:blank',
        title: 'Bad Request',
        status: 400,
        detail: 'Credentials in more than one header field',
      })
      expect(response.headers['www-authenticate']).toBeUndefined()
      expect(decided()).toEqual([['first-presented', 'ambiguous']])
      expect(events[0]).toMatchObject({ owasp: 'input_validation_fail', http: { status: 400 } })
    }
  })

  test('[core-ambiguous] are told apart by what carries a credential, not by what a gate could read', async () => {
    const { app } = appOf(SIGNED, BEARER)
    // x-nonce alone is none: the signed gate presents nothing.
    expect((await ask(app, { 'x-nonce': '1', authorization: 'Bearer good' })).status).toBe(200)
  })
})

describe('a cookie', () => {
  test('[core-cookie-beside-header] decides only when no header credential is presented', async () => {
    const { app, decided } = appOf(SESSION, BEARER)
    expect((await ask(app, { cookie: 'good' })).body).toMatchObject({ kind: 'session' })
    expect((await ask(app, { cookie: 'good', authorization: 'Bearer good' })).body).toMatchObject({ kind: 'bearer' })
    expect((await ask(app, { cookie: 'good', authorization: 'Bearer junk' })).status).toBe(401)
    expect(decided()).toEqual([
      ['session', 'granted'],
      ['bearer', 'granted'],
      ['bearer', 'bad'],
    ])
  })
})

describe('no credential', () => {
  test('[core-none-presented] is 401 with the challenge of every gate, Bearer first, and one event', async () => {
    const { app, events } = appOf(SIGNED, SESSION, BEARER)
    const response = await ask(app, {})
    expect(response.status).toBe(401)
    expect(response.headers['www-authenticate']).toBe(
      'Bearer realm="tests", signed realm="tests", Session realm="tests"',
    )
    expect(response.text).toBe('{"type":"about:blank","title":"Unauthorized","status":401}')
    expect(events).toMatchObject([
      { gate: 'first-presented', type: 'access.denied', reason: 'missing', principal: { id: 'unknown' } },
    ])
    expect(events).toHaveLength(1)
  })

  test('[core-none-presented] repeats no challenge that two gates share', async () => {
    const { app } = appOf({ ...AGENT, realm: 'Bearer' }, BEARER)
    expect((await ask(app, {})).headers['www-authenticate']).toBe('Bearer realm="tests"')
  })

  test('[core-no-exempt-method] is refused for OPTIONS too', async () => {
    const { app } = appOf(SIGNED, BEARER)
    await request(app).options('/').expect(401)
  })
})

test.each<[string, () => Error, number, string]>([
  ['a bug', () => new TypeError('bug'), 500, 'internal_error'],
  ['anything else', () => new Error('no answer'), 503, 'gate'],
])('[core-throw] a read() that throws %s is one event and no way in', async (_name, makeError, status, reason) => {
  const broken: Shape = {
    ...BEARER,
    read: () => {
      throw makeError()
    },
  }
  const { app, events } = appOf(SIGNED, broken)
  await ask(app, { 'x-signature': 'good' }).expect(status)
  expect(events).toMatchObject([{ gate: 'first-presented', reason }])
})

test('what is refused for all gates is reported where the first of them reports, or where it is configured to', async () => {
  const [first, second, own] = [recordAudit(), recordAudit(), recordAudit()]
  const gates: [Gate, Gate] = [gateOf(SIGNED, first.audit).optional(), gateOf(BEARER, second.audit)]
  await request(express().use(firstPresented(firstPresented(...gates)))).get('/')
  await request(express().use(composeGates(gates, { audit: own.audit }))).get('/')
  expect([first.reasons(), second.reasons(), own.reasons()]).toEqual([['missing'], [], ['missing']])
})

test('compositions nest, and are gates with the face of what they are made of', async () => {
  const { audit } = recordAudit()
  const inner = firstPresented(gateOf(SIGNED, audit), gateOf(BEARER, audit))
  const outer = firstPresented(inner, gateOf(SESSION, audit))
  expect(outer.kind).toBe('first-presented')
  expect(outer.reads).toEqual(['x-signature', 'x-nonce', 'authorization', 'cookie'])
  expect(outer.challenge().map(({ scheme }) => scheme)).toEqual(['signed', 'Bearer', 'Session'])
  const app = express().get('/', outer, (incoming, response) => void response.json(incoming.principal))
  expect((await ask(app, { cookie: 'good' })).body).toMatchObject({ kind: 'session' })
  expect((await ask(app, { 'x-signature': 'good', authorization: 'Bearer good' })).status).toBe(400)
  expect((await ask(app, { cookie: 'good', 'x-signature': 'good' })).body).toMatchObject({ kind: 'signed' })
})

test('[core-ambiguous] a composition owns no credential that none of its gates recognises', async () => {
  const { audit, reasons } = recordAudit()
  const [signed, agent, bearer] = [SIGNED, AGENT, BEARER].map((shape) => gateOf(shape, audit)) as [Gate, Gate, Gate]
  const app = express().get('/', firstPresented(firstPresented(signed, agent), bearer), (incoming, response) => {
    response.json(incoming.principal)
  })
  for (const authorization of ['Bearer good', 'Bearer junk', 'Bearer agent.good']) {
    await ask(app, { 'x-signature': 'good', authorization }).expect(400)
  }
  expect(reasons()).toEqual(['ambiguous', 'ambiguous', 'ambiguous'])
  expect((await ask(app, { authorization: 'Bearer agent.good' })).body).toMatchObject({ kind: 'agent' })
  expect((await ask(app, { authorization: 'Bearer good' })).body).toMatchObject({ kind: 'bearer' })
})

test('[core-options] an argument that is not a gate, or none at all, is refused at creation with a code', () => {
  const code = { name: 'TypeError', code: 'ERR_COUNTERSIGN_OPTION_INVALID' }
  const compose = firstPresented as (...gates: unknown[]) => unknown
  expect(() => compose()).toThrow(expect.objectContaining(code))
  expect(() => compose((_request: unknown, _response: unknown, next: () => void) => next())).toThrow(
    expect.objectContaining(code),
  )
  const gate = gateOf(BEARER, undefined)
  expect(() => composeGates([gate], { onDenid: 'next' } as object)).toThrow(
    expect.objectContaining({
      code: 'ERR_COUNTERSIGN_OPTION_UNKNOWN',
      message: expect.stringContaining('Did you mean "onDenied"?'),
    }),
  )
})

describe('a gate that refuses what does not have its mark', () => {
  // As a prefix's gate does: `optional()` lets no malformed field pass, but it is not its credential.
  const PICKY: Shape = {
    ...AGENT,
    read: field('authorization'),
    owns: (incoming) => fieldLines(incoming, 'authorization').some((line) => line.includes('agent.')),
  }

  test.each([
    ['Bearer agent.good', 'agent'],
    ['agent. in any form', 'agent'],
    ['Bearer', 'bearer'],
    ['Bearer a b', 'bearer'],
  ])('[core-presence-commits] leaves %j to %s', async (authorization, gate) => {
    const { audit, lastDecision } = recordAudit()
    const composed = firstPresented(gateOf(PICKY, audit), gateOf(BEARER, audit))
    await request(express().use(composed)).get('/').set('Authorization', authorization)
    expect(lastDecision()?.gate).toBe(gate)
  })

  test('[core-presence-commits] decides where no later gate takes it', async () => {
    const { audit, lastDecision } = recordAudit()
    const composed = firstPresented(gateOf(SIGNED, audit), gateOf(PICKY, audit))
    await request(express().use(composed)).get('/').set('Authorization', 'Bearer').expect(401)
    expect(lastDecision()?.gate).toBe('agent')
  })
})
