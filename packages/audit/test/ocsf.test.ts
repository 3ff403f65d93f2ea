import { isIP } from 'node:net'
import { type AuditEvent, createAudit } from '@countersign/core'
import { type AuditEventInput, type AuditEventType, auditEventTypes } from '@countersign/core/gate-kit'
import { describe, expect, test } from '@jest/globals'
import { Ajv } from 'ajv'
import fc from 'fast-check'
import { OCSF_VERSION, type OcsfEvent, ocsfSink, toOcsf } from '../src/ocsf.js'
import { decision } from './harness.js'
import { ocsfSchemas } from './ocsf-schema.js'

const ajv = new Ajv({ allErrors: true, strict: true, strictTypes: false, strictRequired: false })
ajv.addFormat('ip', (text: string) => isIP(text) !== 0 && !text.includes('%'))
const validators = new Map(Object.entries(ocsfSchemas).map(([uid, schema]) => [Number(uid), ajv.compile(schema)]))

function mapped(input: AuditEventInput): OcsfEvent {
  const events: AuditEvent[] = []
  createAudit({ sinks: [(event) => void events.push(event)], now: () => Date.UTC(2026, 0, 1) }).emit(input)
  return toOcsf(events[0] as AuditEvent, { service: 'billing' })
}

function complaints(event: OcsfEvent): unknown {
  const validate = validators.get(event.class_uid)
  if (validate === undefined) return `no class ${event.class_uid}`
  return validate(JSON.parse(JSON.stringify(event))) ? undefined : validate.errors
}

const full: Partial<AuditEventInput> = {
  reason: 'a_reason',
  owasp: 'authn_login_fail',
  principal: { kind: 'hmac', id: 'scheduler' },
  credential: { id: 'c1', version: 3, fingerprint: 'f' },
  http: {
    method: 'POST',
    route: '/internal',
    status: 401,
    requestId: 'r1',
    clientAddress: '::ffff:10.0.0.1',
    userAgent: 'curl/8',
  },
  latencyMs: 1.6,
  storeMs: 0.4,
  attributes: { format: 'rfc9421' },
}

describe('an event in OCSF', () => {
  const types = Object.keys(auditEventTypes) as AuditEventType[]
  test.each(types)('[audit-ocsf] is valid, with everything in it and with nothing: %s', (type) => {
    for (const gate of ['hmac', 'oauth-bearer', 'mcp-credential', 'settings-session']) {
      expect(complaints(mapped({ ...full, type, gate }))).toBeUndefined()
    }
    expect(complaints(mapped({ type }))).toBeUndefined()
  })

  test.each([
    ['POST', 600301],
    ['GET', 600302],
    ['HEAD', 600302],
    ['PUT', 600303],
    ['PATCH', 600303],
    ['DELETE', 600304],
    ['TRACE', 600399],
  ])('[audit-ocsf] is API Activity when it refuses a %s for lack of rights', (method, typeUid) => {
    const event = mapped(decision({ http: { method, route: '/', status: 403 } }))
    expect([event.class_uid, event.type_uid, event.status_id]).toEqual([6003, typeUid, 2])
    expect(complaints(event)).toBeUndefined()
  })

  test.each([
    ['203.0.113.7', { ip: '203.0.113.7' }, undefined],
    ['fe80::1%eth0', { ip: 'fe80::1' }, undefined],
    ['unknown', { svc_name: 'billing' }, 'unknown'],
    ['203.0.113.7:4711', { svc_name: 'billing' }, '203.0.113.7:4711'],
    ['300.1.2.3', { svc_name: 'billing' }, '300.1.2.3'],
    ['_hidden', { svc_name: 'billing' }, '_hidden'],
    ['', { svc_name: 'billing' }, undefined],
  ])('[audit-ocsf] has the client address %s as an address only if it is one', (clientAddress, source, unmapped) => {
    const event = mapped(decision({ http: { method: 'GET', route: '/', status: 401, clientAddress } }))
    expect(complaints(event)).toBeUndefined()
    expect(event.src_endpoint).toEqual(source)
    expect((event.unmapped as Record<string, unknown>).client_address).toBe(unmapped)
  })

  test('[audit-ocsf] is valid whatever a request says of itself', () => {
    const text = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.constantFrom('', 'unknown', '1.2.3.4', '::1', 'PROPFIND', 'GET'),
    )
    const http = fc.record(
      { method: text, route: text, status: fc.integer(), requestId: text, clientAddress: text, userAgent: text },
      { requiredKeys: ['method', 'route'] },
    )
    const input = fc.record(
      {
        type: fc.constantFrom(...types),
        gate: text,
        reason: text,
        owasp: text,
        principal: fc.record({ kind: text, id: text }),
        credential: fc.record({ id: text, version: fc.double(), fingerprint: text }, { requiredKeys: [] }),
        http,
        latencyMs: fc.double(),
        storeMs: fc.double(),
        attributes: fc.dictionary(text, fc.oneof(text, fc.double(), fc.boolean())),
      },
      { requiredKeys: ['type'] },
    )
    fc.assert(fc.property(input, (given) => expect(complaints(mapped(given as AuditEventInput))).toBeUndefined()))
  })

  test('[audit-ocsf] of a decision is Authentication, in full', () => {
    const event = mapped({ ...full, type: 'access.denied', gate: 'hmac' })
    expect(event).toEqual({
      class_uid: 3002,
      class_name: 'Authentication',
      category_uid: 3,
      category_name: 'Identity & Access Management',
      activity_id: 1,
      activity_name: 'Logon',
      type_uid: 300201,
      type_name: 'Authentication: Logon',
      time: 1_767_225_600_000,
      severity_id: 3,
      severity: 'Medium',
      status_id: 2,
      status: 'Failure',
      status_code: 'a_reason',
      status_detail: 'format=rfc9421',
      message: 'access.denied hmac a_reason',
      duration: 2,
      metadata: {
        version: '1.5.0',
        product: { name: 'Countersign', vendor_name: 'Countersign' },
        uid: expect.any(String),
        event_code: 'access.denied',
        log_name: 'audit',
        original_time: '2026-01-01T00:00:00.000Z',
        correlation_uid: 'r1',
      },
      src_endpoint: { ip: '::ffff:10.0.0.1' },
      http_request: { http_method: 'POST', url: { path: '/internal' }, uid: 'r1', user_agent: 'curl/8' },
      http_response: { code: 401 },
      user: { uid: 'scheduler', name: 'scheduler', type_id: 4, type: 'Service' },
      service: { name: 'billing' },
      session: { uid: 'c1' },
      is_remote: true,
      auth_protocol_id: 99,
      auth_protocol: 'hmac',
      unmapped: {
        gate: 'hmac',
        owasp: 'authn_login_fail',
        outcome: 'failure',
        credential: { id: 'c1', version: 3, fingerprint: 'f' },
        latencyMs: 1.6,
        storeMs: 0.4,
        attributes: { format: 'rfc9421' },
      },
    })
  })

  test('[audit-ocsf] all three classes are in use, and the schema of the test finds what is wrong', () => {
    expect(OCSF_VERSION).toBe('1.5.0')
    const classes = new Set(types.map((type) => mapped({ type }).class_uid))
    expect([...classes].sort()).toEqual([3002, 3003, 6003])
    const good = mapped({ ...full, type: 'access.granted', gate: 'hmac' })
    expect(complaints({ ...good, user: {} })).toBeDefined()
    expect(complaints({ ...good, service: undefined })).toBeDefined()
    expect(complaints({ ...good, severity_id: 7 })).toBeDefined()
    expect(complaints({ ...good, type_uid: 300301 })).toBeDefined()
    expect(complaints({ ...good, invented: 1 })).toBeDefined()
    expect(complaints({ ...good, src_endpoint: { ip: 'somewhere' } })).toBeDefined()
  })

  test('[audit-ocsf] says what was seen and expected, what a credential allows, and where a session was opened', () => {
    const attributes = { late_by_seconds: 63, tolerance_seconds: 60 }
    const refused = mapped(decision({ type: 'access.denied', outcome: 'failure', reason: 'expired', attributes }))
    expect([refused.status_code, refused.status_detail]).toEqual([
      'expired',
      'late_by_seconds=63, tolerance_seconds=60',
    ])
    expect(mapped(decision({ type: 'access.granted', attributes })).status_detail).toBeUndefined()
    const capabilities = 'preview files:write …+62'
    const issued = mapped({ ...full, type: 'mcp.credential.issued', attributes: { capabilities } })
    expect(issued.privileges).toEqual(['preview', 'files:write'])
    const openedAt = mapped({ ...full, type: 'settings.session.opened' })
    expect([openedAt.privileges, openedAt.src_endpoint]).toEqual([
      ['settings.session.opened'],
      { ip: '::ffff:10.0.0.1' },
    ])
    expect([refused, issued, openedAt].map(complaints)).toEqual([undefined, undefined, undefined])
  })

  test('[audit-ocsf] goes through the sink to whatever takes it', async () => {
    const got: OcsfEvent[] = []
    const audit = createAudit({ sinks: [ocsfSink({ service: 'billing', write: (event) => void got.push(event) })] })
    audit.emit(decision())
    expect(got).toMatchObject([{ class_uid: 3002, service: { name: 'billing' } }])
    expect(() => ocsfSink({} as never)).toThrow('option "write" is required')
    expect(() => ocsfSink({ write: () => undefined, servce: 'x' } as never)).toThrow('Did you mean "service"?')
  })
})
