import assert from 'node:assert/strict'
import type { AuditEvent } from '@countersign/core'
import type { Received, Trial } from './trial.js'

/** A refusal in the form that every gate has: RFC 9457, never cached, a challenge on 401, none with Retry-After on 503. */
export function assertAnswer(received: Received, status: number): void {
  const { headers, text } = received
  assert.equal(received.status, status, text)
  assert.match(headers['content-type'] ?? '', /^application\/problem\+json\b/, 'Content-Type')
  assert.match(headers['cache-control'] ?? '', /\bno-store\b/, 'Cache-Control')
  assert.equal(headers['content-length'], String(Buffer.byteLength(text)), 'Content-Length')
  const problem = JSON.parse(text) as Record<string, unknown>
  assert.equal(problem.status, status, 'status of the problem')
  assert.equal(typeof problem.title, 'string', 'title of the problem')
  if (status === 401) assert.ok(headers['www-authenticate'], 'a 401 has a challenge')
  if (status >= 500) assert.equal(headers['www-authenticate'], undefined, `a ${status} has no challenge`)
  if (status === 503) assert.match(headers['retry-after'] ?? '', /^[1-9]\d*$/, 'Retry-After')
  if (status === 500) assert.deepEqual(problem, { type: 'about:blank', title: 'Internal Server Error', status: 500 })
}

/** The one event of a refusal. */
export function assertRefusal(trial: Trial, status: number, reason?: string): AuditEvent {
  const event = assertOne(trial)
  const isOutage = status >= 500
  assert.equal(event.type, isOutage ? 'access.unavailable' : 'access.denied')
  assert.equal(event.http?.status, status, 'status of the event')
  assert.ok(event.reason, 'a refusal has a reason')
  if (reason !== undefined) assert.equal(event.reason, reason)
  assert.equal(trial.handled.length, 0, 'the handler ran')
  return event
}

/** The one event of a grant, and the principal that the handler got. */
export function assertGrant(trial: Trial): void {
  const { gate } = trial.subject
  const event = assertOne(trial)
  assert.equal(event.type, 'access.granted')
  assert.equal(event.reason, undefined)
  assert.equal(event.http?.status, undefined, 'a request that is granted has no status')
  assert.equal(trial.handled.length, 1, 'the handler runs once')
  const [{ shown, proven } = { shown: undefined, proven: undefined }] = trial.handled
  assert.ok(proven, 'principalOf finds the principal')
  assert.equal(shown, proven, 'req.principal is the proven one')
  const { kind, id } = proven as { kind: unknown; id: unknown }
  assert.deepEqual({ kind, id }, event.principal)
  assert.equal(kind, gate.kind)
  assertFrozen(proven, 'principal')
}

function assertOne(trial: Trial): AuditEvent {
  const decisions = trial.decisions()
  assert.equal(decisions.length, 1, `one event for a decision: ${JSON.stringify(decisions)}`)
  const [event] = decisions as [AuditEvent]
  assert.equal(event.gate, trial.subject.gate.kind)
  assert.equal(typeof event.latencyMs, 'number', 'latency of the event')
  return event
}

function assertFrozen(value: unknown, name: string): void {
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) return
  assert.ok(Object.isFrozen(value), `${name} is not frozen`)
  for (const [member, part] of Object.entries(value)) assertFrozen(part, `${name}.${member}`)
}
