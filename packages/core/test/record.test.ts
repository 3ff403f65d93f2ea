import { type Audit, createAudit } from '@countersign/core'
import { denied, granted, type ReasonTable, unavailable } from '@countersign/core/gate-kit'
import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals'
import type { Request } from 'express'
import { recordAudit } from '../../../test/support/audit-recorder.js'
import { type CaughtWarning, catchWarnings } from '../../../test/support/warnings.js'
import { outages } from '../src/gate/outages.js'
import { type DecisionContext, describeRequest, record } from '../src/gate/record.js'
import type { Decision } from '../src/gate/verdict.js'

const reasons: ReasonTable<string> = {
  unknown: { status: 401, owasp: 'authn_login_fail' },
  too_little: { status: 403, owasp: 'authz_fail', severity: 'info' },
}
const grant = granted({ kind: 'key', id: 'the-key' })

let recorded: ReturnType<typeof recordAudit>
let warnings: CaughtWarning[]
let stop: () => void
beforeEach(() => {
  recorded = recordAudit()
  ;({ warnings, stop } = catchWarnings())
})
afterEach(() => {
  jest.restoreAllMocks()
  stop()
})

function recording(decision: Decision, context: Partial<DecisionContext> = {}) {
  return record(decision, { kind: 'key', reasons, audit: recorded.audit, latencyMs: 1.23456, ...context })
}
const codes = () => warnings.map(({ code }) => code.replace('COUNTERSIGN_DEPENDENCY_', ''))

describe('a decision', () => {
  const failed: Decision = { outcome: 'failed', error: new RangeError('hunter2') }
  test.each<[string, Decision, object]>([
    [
      'grant',
      grant,
      { type: 'access.granted', owasp: 'authn_login_success', principal: { kind: 'key', id: 'the-key' } },
    ],
    ['refusal', denied('unknown'), { type: 'access.denied', reason: 'unknown', owasp: 'authn_login_fail' }],
    [
      'refusal of its own severity',
      denied('too_little'),
      { reason: 'too_little', owasp: 'authz_fail', severity: 'info' },
    ],
    [
      'outage',
      unavailable('keys'),
      {
        type: 'access.unavailable',
        reason: 'keys',
        owasp: 'sys_monitor_disabled',
        principal: { kind: 'key', id: 'unknown' },
      },
    ],
    [
      'bug',
      failed,
      { type: 'access.unavailable', reason: 'internal_error', owasp: 'sys_crash', attributes: { error: 'RangeError' } },
    ],
  ])('is one event, and stands: a %s', (_name, decision, event) => {
    expect(recording(decision)).toBe(decision)
    expect(recorded.events).toMatchObject([{ gate: 'key', latencyMs: 1.235, ...event }])
    expect(JSON.stringify(recorded.events)).not.toContain('hunter2')
    expect(recorded.events[0]).not.toHaveProperty('http')
    expect(recorded.events[0]).not.toHaveProperty('storeMs')
  })

  test('has in its event what the verdict says beside it', () => {
    const credential = { id: 'c1', version: 2 }
    recording(
      denied('unknown', { detail: { principalId: 'a', credential, attributes: { seen: 1 }, storeMs: 2.00049 } }),
    )
    expect(recorded.events).toMatchObject([
      { principal: { kind: 'key', id: 'a' }, credential, attributes: { seen: 1 }, storeMs: 2 },
    ])
  })

  test('may have an event of another type', () => {
    recording(denied('unknown'), { type: 'oauth.keys.recovered' })
    expect(recorded.events.map(({ type }) => type)).toEqual(['oauth.keys.recovered'])
  })

  test.each<[string, Decision, boolean | undefined, number]>([
    ['a grant is not told to an emitter that nobody listens to', grant, false, 0],
    ['a refusal is not told to it, either', denied('unknown'), false, 0],
    ['an emitter that does not say whether anybody listens is told', grant, undefined, 1],
  ])('%s', (_name, decision, active, times) => {
    const emit = jest.fn(() => true)
    expect(recording(decision, { audit: { emit, active } as unknown as Audit })).toBe(decision)
    expect(emit).toHaveBeenCalledTimes(times)
  })
})

describe('a required sink', () => {
  /** An emitter with a required sink that does this, and what its other sink is told. */
  function requiring(write: () => void | Promise<void>) {
    const told: unknown[] = []
    const audit = createAudit({
      sinks: [
        ({ type, reason, http, principal }) =>
          void (type.startsWith('access.') && told.push([type, reason, http?.status, principal])),
      ],
    })
    audit.subscribe(write, { required: true })
    return { audit, told }
  }
  const boom = (): never => {
    throw new Error('the disk is full')
  }
  const request = { method: 'GET', rawHeaders: [], headers: {}, socket: {} } as unknown as Request

  test.each([
    ['throws', boom],
    ['rejects', async () => boom()],
  ])('that %s makes an outage of a grant, and that is what the other sinks are told', async (_name, write) => {
    const { audit, told } = requiring(write)
    expect(await recording(grant, { audit, request })).toEqual({ outcome: 'unavailable', dependency: 'audit_sink' })
    expect(told).toEqual([['access.unavailable', 'audit_sink', 503, { kind: 'key', id: 'unknown' }]])
  })

  test.each([
    ['in the same tick', () => undefined],
    ['later', async () => undefined],
  ])('that takes the event %s leaves the grant', async (_name, write) => {
    const { audit, told } = requiring(write)
    expect(await recording(grant, { audit })).toBe(grant)
    expect(told).toEqual([['access.granted', undefined, undefined, grant.principal]])
  })

  test.each([
    ['throws', boom],
    ['rejects', async () => boom()],
  ])('that %s changes no refusal, which does not wait for it', (_name, write) => {
    const refusal = denied('unknown')
    expect(recording(refusal, { audit: requiring(write).audit })).toBe(refusal)
  })
})

test('the operator is told of an outage, and of its end with the first grant of that gate, also where nobody listens', () => {
  let nowMs = 1_000_000
  outages.clear()
  jest.spyOn(performance, 'now').mockImplementation(() => nowMs)
  const audit = { active: false, emit: () => true } as unknown as Audit
  recording(grant, { audit, kind: 'told' })
  recording(unavailable('store'), { audit, kind: 'told' })
  expect(codes()).toEqual(['UNAVAILABLE'])
  nowMs += 6000
  recording(denied('unknown'), { audit, kind: 'told' })
  recording(grant, { audit, kind: 'other' })
  expect(codes()).toEqual(['UNAVAILABLE'])
  recording(grant, { audit, kind: 'told' })
  recording(grant, { audit, kind: 'told' })
  expect([codes(), outages.size]).toEqual([['UNAVAILABLE', 'RECOVERED'], 0])
})

describe('an event says of a request', () => {
  const thrower = () => {
    throw new Error('no')
  }
  const plain = { method: 'GET', rawHeaders: [], headers: {}, socket: { remoteAddress: '10.0.0.1' } }
  const described = (members: object, route?: string, status?: number) =>
    describeRequest({ ...plain, ...members } as unknown as Request, route, status)

  test('its method, route, status, address and user agent, and nothing else', () => {
    const rawHeaders = ['User-Agent', 'tests', 'X-Key', 'hunter2', 'User-Agent', 'others']
    expect(described({ rawHeaders, id: 'r1', url: '/a?hunter2' }, '/a', 401)).toEqual({
      method: 'GET',
      route: '/a',
      status: 401,
      requestId: 'r1',
      clientAddress: '10.0.0.1',
      userAgent: 'tests',
    })
  })

  test.each<[string, object, string | undefined, string]>([
    ['that of the option', { route: { path: '/:id' } }, 'mine', 'mine'],
    ['that of Express', { route: { path: '/:id' } }, undefined, '/:id'],
    ['that of a pattern', { route: { path: /^\/a/ } }, undefined, '/^\\/a/'],
    ['a star where there is none', {}, undefined, '*'],
    ['a star where a route has no path', { route: {} }, undefined, '*'],
  ])('its route: %s', (_name, members, route, expected) => {
    expect(described(members, route).route).toBe(expected)
  })

  test.each<[string, object, string | undefined]>([
    ['a text', { id: 'r1' }, 'r1'],
    ['a number', { id: 7 }, '7'],
    ['not an object', { id: { toString: () => 'x' } }, undefined],
    ['nothing where there is none', {}, undefined],
  ])("the app's id of it: %s", (_name, members, expected) => {
    expect(described(members).requestId).toBe(expected)
  })

  test.each<[string, object, string | undefined]>([
    ["the peer's without Express", {}, '10.0.0.1'],
    ["the peer's where no proxy is trusted", { app: { enabled: () => false } }, '10.0.0.1'],
    ['what Express says where one is', { app: { enabled: (name: string) => name === 'trust proxy' } }, '10.1.1.1'],
    ['none where the app throws', { app: { enabled: thrower } }, undefined],
  ])('the address of its client: %s', (_name, members, expected) => {
    const ofExpress = Object.create({ ip: '10.1.1.1' })
    expect(describeRequest(Object.assign(ofExpress, plain, members), undefined, undefined).clientAddress).toBe(expected)
  })

  test('the address that an adapter has set', () => {
    expect(described({ ip: '10.2.2.2' }).clientAddress).toBe('10.2.2.2')
  })

  test('all but what cannot be read', () => {
    const unreadable = Object.defineProperties({ ...plain }, { id: { get: thrower }, rawHeaders: { get: thrower } })
    expect(describeRequest(unreadable as unknown as Request, '/a', 401)).toMatchObject({
      route: '/a',
      requestId: undefined,
      userAgent: undefined,
    })
  })
})
