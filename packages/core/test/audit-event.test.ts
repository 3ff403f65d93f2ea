import { type AuditEvent, createAudit } from '@countersign/core'
import { type AuditEventInput, auditEventTypes, safeString } from '@countersign/core/gate-kit'
import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { decision } from '../../../test/support/audit-events.js'

function completed(input: AuditEventInput, now?: () => number): AuditEvent {
  const events: AuditEvent[] = []
  createAudit({ sinks: [(event) => void events.push(event)], ...(now === undefined ? {} : { now }) }).emit(input)
  expect(events).toHaveLength(1)
  return events[0] as AuditEvent
}

const UNSAFE = /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/

describe('an event', () => {
  test('[audit-event-shape] gets its schema, id and time, and the outcome and severity of its type', () => {
    const event = completed(decision(), () => Date.UTC(2026, 0, 2, 3, 4, 5, 6))
    expect(event).toEqual({
      schema: 1,
      id: expect.stringMatching(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/),
      time: '2026-01-02T03:04:05.006Z',
      type: 'access.denied',
      outcome: 'failure',
      severity: 'warning',
      gate: 'hmac',
      reason: 'bad_signature',
      principal: { kind: 'hmac', id: 'unknown' },
      http: {
        method: 'POST',
        route: '/internal',
        status: 401,
        // The app named none.
        requestId: event.id,
        clientAddress: '127.0.0.1',
      },
    })
    expect(completed(decision({ severity: 'info', outcome: 'error' }))).toMatchObject({
      severity: 'info',
      outcome: 'error',
    })
  })

  test('[audit-event-shape] has the time of its moment, whatever the one before had', () => {
    const moments = [
      Date.UTC(2026, 0, 2, 3, 4, 5, 6),
      1_999,
      2_000.9,
      0,
      -1,
      -1_000.5,
      Date.UTC(2026, 0, 2, 3, 4, 5, 999),
    ]
    expect(moments.map((moment) => completed(decision(), () => moment).time)).toEqual([
      '2026-01-02T03:04:05.006Z',
      '1970-01-01T00:00:01.999Z',
      '1970-01-01T00:00:02.000Z',
      '1970-01-01T00:00:00.000Z',
      '1969-12-31T23:59:59.999Z',
      '1969-12-31T23:59:59.000Z',
      '2026-01-02T03:04:05.999Z',
    ])
  })

  test('[audit-event-shape] is frozen in all its parts', () => {
    const event = completed(decision({ credential: { id: 'c' }, attributes: { a: 1 } }))
    for (const part of [event, event.principal, event.credential, event.http, event.attributes]) {
      expect(Object.isFrozen(part)).toBe(true)
    }
  })

  test('[audit-event-shape] does not share its parts with who emitted it', () => {
    const attributes: Record<string, string> = { a: 'before' }
    const event = completed(decision({ attributes }))
    attributes.a = 'after'
    expect(event.attributes).toEqual({ a: 'before' })
  })

  test('[audit-safe-strings] cannot forge a line of a log through any of its strings', () => {
    const hostile = 'a\r\n2026-01-01 admin logged in\u0000\u001b[31m\u202egnp\u2028x\u007f\u0085'
    const clean = 'a2026-01-01 admin logged in[31mgnpx'
    const event = completed({
      type: 'access.denied',
      gate: hostile,
      reason: hostile,
      owasp: hostile,
      principal: { kind: hostile, id: hostile },
      credential: { id: hostile, fingerprint: hostile },
      http: {
        method: hostile,
        route: hostile,
        requestId: hostile,
        clientAddress: hostile,
        userAgent: hostile,
      },
      attributes: { [hostile]: hostile },
    })
    expect(event).toMatchObject({
      gate: clean,
      reason: clean,
      owasp: clean,
      principal: { kind: clean, id: clean },
      credential: { id: clean, fingerprint: clean },
      http: { method: clean, route: clean, requestId: clean, clientAddress: clean, userAgent: clean },
      attributes: { [clean]: clean },
    })
    expect(JSON.stringify(event).split('\n')).toHaveLength(1)
  })

  test('[audit-safe-strings] caps strings at 256 and attributes at 32, and breaks no character in two', () => {
    const attributes = Object.fromEntries(Array.from({ length: 100 }, (_, index) => [`a${index}`, index]))
    const event = completed(decision({ reason: 'x'.repeat(10_000), attributes }))
    expect(event.reason).toHaveLength(256)
    expect(Object.keys(event.attributes ?? {})).toHaveLength(32)
    expect(safeString(`${'x'.repeat(255)}😀`)).toBe(`${'x'.repeat(255)}\ufffd`)
  })

  test('[audit-safe-strings] any string becomes short, well-formed and free of control characters', () => {
    const anything = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 600 }),
      fc.string({ unit: 'grapheme', maxLength: 600 }),
    )
    fc.assert(
      fc.property(anything, (text) => {
        const safe = safeString(text)
        expect(safe.length).toBeLessThanOrEqual(256)
        expect(safe).not.toMatch(UNSAFE)
        expect(safe).not.toMatch(/\p{Surrogate}/u)
        expect(safeString(safe)).toBe(safe)
      }),
    )
  })

  test('[audit-json-safe] reads the same before and after JSON, whatever was put in', () => {
    const text = fc.string({ unit: 'binary', maxLength: 300 })
    const value = fc.oneof(
      text,
      fc.double(),
      fc.boolean(),
      fc.constant(undefined),
      fc.constant(null),
      fc.bigInt(),
      fc.object(),
    )
    const input = fc.record(
      {
        type: fc.constantFrom('access.granted', 'access.denied', 'audit.sink.failed'),
        gate: text,
        reason: value,
        principal: fc.record({ kind: text, id: value }),
        credential: fc.record({ id: value, version: fc.double(), fingerprint: text }),
        http: fc.record({ method: text, route: value, status: fc.double(), userAgent: value }),
        latencyMs: fc.double(),
        storeMs: value,
        attributes: fc.dictionary(text, value),
      },
      { requiredKeys: ['type'] },
    )
    fc.assert(
      fc.property(input, (given) => {
        const event = completed(given as unknown as AuditEventInput)
        expect(JSON.parse(JSON.stringify(event))).toEqual(event)
      }),
    )
  })

  test('[audit-json-safe] leaves out what is not a number that JSON has', () => {
    const event = completed(decision({ latencyMs: Number.NaN, storeMs: Number.POSITIVE_INFINITY }))
    expect(event).not.toHaveProperty('latencyMs')
    expect(event).not.toHaveProperty('storeMs')
  })

  test('[audit-never-throws] of a type that does not exist, or with parts that cannot be printed, is reported all the same', () => {
    const event = completed({
      type: 'constructor' as 'access.denied',
      reason: Object.create(null),
      attributes: { list: [1] as unknown as string, symbol: Symbol('s') as unknown as string },
    })
    expect(event).toMatchObject({
      type: 'constructor',
      outcome: 'error',
      severity: 'warning',
      reason: '[object]',
      attributes: { list: '[object]', symbol: 'Symbol(s)' },
    })
  })

  test('[audit-json-safe] of an outcome or a severity that does not exist has those of its type', () => {
    const event = completed(decision({ outcome: 'ok\n' as 'success', severity: {} as unknown as 'info' }))
    expect(event).toMatchObject({ outcome: 'failure', severity: 'warning' })
  })

  test('[audit-never-throws] of a name that every object has does not reach the prototype', () => {
    const event = completed(decision({ attributes: JSON.parse('{"__proto__":"x","constructor":"y"}') }))
    expect(Object.entries(event.attributes ?? {})).toEqual([
      ['__proto__', 'x'],
      ['constructor', 'y'],
    ])
  })
})

test('[audit-catalogue] every type has an outcome, a severity and a meaning', () => {
  const entries = Object.entries(auditEventTypes)
  expect(entries.length).toBeGreaterThan(20)
  for (const [type, { outcome, severity, meaning }] of entries) {
    expect(type).toMatch(/^[a-z]+(\.[a-z]+)+$/)
    expect(['success', 'failure', 'error']).toContain(outcome)
    expect(['info', 'warning', 'critical']).toContain(severity)
    expect(meaning.length).toBeGreaterThan(10)
  }
})
