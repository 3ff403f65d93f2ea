import type { Answer } from '@countersign/core'
import { denied, problemAnswer, type Refusal, unavailable } from '@countersign/core/gate-kit'
import { expect, test } from '@jest/globals'
import type { Request } from 'express'
import type { McpCredentialReason } from '../src/reasons.js'
import { shapeAnswer } from '../src/shape-answer.js'

const OVER_HTTP = { denyAs: 'http', deadAs: 'http' } as const
const IN_JSON_RPC = { denyAs: 'jsonrpc', deadAs: 'jsonrpc' } as const
const posted = (body: unknown) => ({ method: 'POST', headers: {}, body }) as unknown as Request
const call = posted({ jsonrpc: '2.0', id: 1, method: 'tools/call' })
const plain = problemAnswer(401, { error: 'invalid_token', detail: 'It has ended.' })
const shape = (refusal: Refusal<McpCredentialReason>, request: Request = call, answer: Answer = plain) =>
  shapeAnswer(answer, refusal, request, IN_JSON_RPC)

test('an outage says to wait, and keeps its status and its Retry-After', () => {
  const outage = problemAnswer(503, {}, [], { 'Retry-After': '1' })
  const { status, headers, problem, body } = shape(unavailable('credential_store'), call, outage)
  expect([status, headers['Retry-After'], body]).toEqual([503, '1', undefined])
  expect(problem).toMatchObject({ status: 503, detail: expect.stringMatching(/Wait and retry.*still valid/) })
})

test('a bug is answered without a word of it', () => {
  const bug = problemAnswer(500)
  expect(shape({ outcome: 'failed', error: new Error('secret') }, call, bug)).toBe(bug)
})

test('over HTTP, and for what a stranger may send, the answer is as it was', () => {
  expect(shapeAnswer(plain, denied('revoked'), call, OVER_HTTP)).toBe(plain)
  expect(shapeAnswer(plain, denied('insufficient_scope'), call, OVER_HTTP)).toBe(plain)
  expect(shape(denied('unknown'))).toBe(plain)
})

test('a proven end and a missing capability are JSON-RPC errors of their own, never cached', () => {
  const ended = shape(denied('revoked'))
  expect([ended.status, ended.headers['Cache-Control']]).toEqual([200, 'no-store'])
  expect(JSON.parse(ended.body ?? '')).toMatchObject({ id: 1, error: { code: -32004, message: 'It has ended.' } })
  const forbidden = shape(denied('insufficient_scope', { parameters: { scope: 'a' } }))
  expect(JSON.parse(forbidden.body ?? '').error).toMatchObject({ code: -32003, data: { scope: 'a' } })
})

test('an id that JSON-RPC does not know gets the answer over HTTP', () => {
  for (const id of [null, true, {}, []]) expect(shape(denied('revoked'), posted({ id, method: 'x' }))).toBe(plain)
  expect(shape(denied('revoked'), posted({ id: 'a', method: 'x' })).status).toBe(200)
})

test('a notification is taken, with nothing to cache, and a stream is not offered', () => {
  const taken = shape(denied('idle'), posted({ method: 'notifications/initialized' }))
  expect([taken.status, taken.headers, taken.body]).toEqual([202, { 'Cache-Control': 'no-store' }, ''])
  const stream = shape(denied('idle'), { method: 'GET', headers: {} } as unknown as Request)
  expect([stream.status, stream.headers.Allow, stream.problem.detail]).toEqual([405, 'POST', 'It has ended.'])
})
