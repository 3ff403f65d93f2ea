import { IncomingMessage, ServerResponse } from 'node:http'
import { PassThrough } from 'node:stream'
import type { Answer } from '@countersign/core'
import { answer, denied, problemAnswer, type ReasonTable, unavailable } from '@countersign/core/gate-kit'
import { beforeEach, describe, expect, test } from '@jest/globals'
import { type AnswerContext, checkAnswer, isOver, sendAnswer } from '../src/gate/answer.js'
import { titleOf } from '../src/gate/problem.js'

const reasons = {
  unknown: { status: 401, owasp: 'authn_login_fail', problem: { error: 'invalid_token' } },
  too_little: { status: 403, owasp: 'authz_fail' },
  too_many: { status: 429, owasp: 'excess_rate_limit_exceeded' },
} as const satisfies ReasonTable<string>
const context = (scheme?: string): AnswerContext => ({
  kind: 'key',
  reasons: reasons as ReasonTable<string>,
  challenge: ({ parameters }) => (scheme === undefined ? [] : [{ scheme, parameters }]),
})
const STANDING = { 'Cache-Control': 'no-store', 'Content-Type': 'application/problem+json; charset=utf-8' }

describe('the answer to a refusal', () => {
  test('has the status, the problem and the challenge of its reason', () => {
    expect(answer(denied('unknown', { parameters: { realm: 'a' } }), context('Key'))).toEqual({
      status: 401,
      headers: { 'WWW-Authenticate': 'Key realm="a"', ...STANDING },
      problem: { type: 'about:blank', title: 'Unauthorized', status: 401, error: 'invalid_token' },
    })
  })

  test('is challenged with the kind of the gate where a 401 has no challenge, and not at all where it is no 401', () => {
    expect(answer(denied('unknown'), context()).headers).toEqual({ 'WWW-Authenticate': 'key', ...STANDING })
    expect(answer(denied('too_little'), context()).headers).toEqual(STANDING)
    expect(answer(denied('too_little'), context('Key')).headers).toEqual({ 'WWW-Authenticate': 'Key', ...STANDING })
  })

  test.each([
    [undefined, '1'],
    [2.1, '3'],
  ])('that came too often says when to ask again: after %j s', (retryAfterSeconds, expected) => {
    expect(answer(denied('too_many', { retryAfterSeconds }), context()).headers).toEqual({
      'Retry-After': expected,
      ...STANDING,
    })
    expect(answer(denied('too_little', { retryAfterSeconds }), context()).headers).toEqual(STANDING)
  })

  test('has the headers of the refusal, which cannot make it cacheable', () => {
    const headers = { 'DPoP-Nonce': 'n1', 'Cache-Control': 'public', 'Content-Type': 'text/html' }
    expect(answer(denied('too_little', { headers }), context()).headers).toEqual({ 'DPoP-Nonce': 'n1', ...STANDING })
  })

  test('has the members of the refusal, which cannot state another status', () => {
    const members = { status: 200, title: 'Mine', scopes: ['a'] }
    const { status, problem } = answer(denied('too_little', { members }), context())
    expect([status, Object.entries(problem)]).toEqual([
      403,
      [
        ['type', 'about:blank'],
        ['title', 'Mine'],
        ['status', 403],
        ['scopes', ['a']],
      ],
    ])
  })

  test.each(['unheard_of', 'constructor'])(
    'for a reason that the table does not have is an error that names it: %s',
    (reason) => {
      expect(() => answer(denied(reason), context())).toThrow(
        expect.objectContaining({ name: 'TypeError', message: expect.stringContaining(`"${reason}"`) }),
      )
    },
  )

  test('with members that JSON cannot hold is an error before anything is sent', () => {
    expect(() => answer(denied('unknown', { members: { count: 1n } }), context())).toThrow(
      expect.objectContaining({ name: 'TypeError' }),
    )
  })
})

describe('the answer to an outage or a bug', () => {
  test.each<[number | undefined, string]>([
    [undefined, '1'],
    [0, '1'],
    [0.2, '1'],
    [29.5, '30'],
    [-3, '1'],
    [Number.NaN, '1'],
    [Number.POSITIVE_INFINITY, '1'],
    [1e22, '86400'],
  ])('has no challenge, and says after %j s to ask again after %s s', (retryAfterSeconds, expected) => {
    expect(answer(unavailable('keys', { retryAfterSeconds }), context('Key'))).toEqual({
      status: 503,
      headers: { 'Retry-After': expected, ...STANDING },
      problem: { type: 'about:blank', title: 'Service Unavailable', status: 503 },
    })
  })

  test('says nothing of the bug', () => {
    expect(answer({ outcome: 'failed', error: new Error('hunter2') }, context('Key'))).toEqual({
      status: 500,
      headers: STANDING,
      problem: { type: 'about:blank', title: 'Internal Server Error', status: 500 },
    })
  })
})

test('every status that a gate answers has the reason phrase of RFC 9110 as its title', () => {
  expect([400, 401, 403, 404, 413, 415, 429, 500, 503].map(titleOf)).toEqual([
    'Bad Request',
    'Unauthorized',
    'Forbidden',
    'Not Found',
    'Content Too Large',
    'Unsupported Media Type',
    'Too Many Requests',
    'Internal Server Error',
    'Service Unavailable',
  ])
  expect(titleOf(418)).toBe('Error')
})

test('a problem may have a type and a title of its own', () => {
  const { problem } = problemAnswer(400, { type: 'https://a.example/p', title: 'Mine' })
  expect(problem).toEqual({ type: 'https://a.example/p', title: 'Mine', status: 400 })
})

describe('an answer is checked before it is sent', () => {
  const plain = problemAnswer(403)

  test.each([200, 204, 403, 599])('%d is a status', (status) => {
    expect(checkAnswer({ ...plain, status }).status).toBe(status)
  })

  test.each([199, 600, 42, 403.5, Number.NaN, undefined, '403'])(
    '%j is none, and the error says which are',
    (status) => {
      expect(() => checkAnswer({ ...plain, status: status as number })).toThrow(/from 200 to 599, got /)
    },
  )

  test.each<[string, Answer['headers'], boolean]>([
    ['a text', { 'X-Note': 'a' }, true],
    ['a list of texts', { 'Set-Cookie': ['a=1', 'b=2'] }, true],
    ['a name that is not a token', { 'X Note': 'a' }, false],
    ['a line break in a text', { 'X-Note': 'a\r\nb' }, false],
    ['a line break in a list', { 'Set-Cookie': ['a=1', 'b\r\nc'] }, false],
  ])('a header may be %s: %j is %j', (_name, headers, isAllowed) => {
    const check = () => checkAnswer({ ...plain, headers })
    if (isAllowed) expect(check().headers).toBe(headers)
    else expect(check).toThrow(expect.objectContaining({ name: 'TypeError' }))
  })

  test('a problem that JSON cannot hold is none, unless a body is sent in its place', () => {
    const problem = { count: 1n }
    expect(() => checkAnswer({ ...plain, problem })).toThrow(expect.objectContaining({ name: 'TypeError' }))
    expect(checkAnswer({ ...plain, problem, body: 'mine' }).body).toBe('mine')
  })
})

describe('an answer that is sent', () => {
  let socket: PassThrough
  let response: ServerResponse
  beforeEach(() => {
    socket = new PassThrough()
    response = new ServerResponse(new IncomingMessage(socket as never))
    response.assignSocket(socket as never)
  })
  const written = () => String(socket.read() ?? '')

  test('is the problem document, with its length in bytes, beside the headers that others have set', () => {
    response.setHeader('X-Frame-Options', 'DENY')
    sendAnswer(response, problemAnswer(403, { detail: 'Grüße' }))
    const [head, body] = written().split('\r\n\r\n') as [string, string]
    expect(JSON.parse(body)).toEqual({ type: 'about:blank', title: 'Forbidden', status: 403, detail: 'Grüße' })
    expect(head).toMatch(/^HTTP\/1\.1 403 /)
    expect(head.split('\r\n')).toEqual(
      expect.arrayContaining([
        `Content-Length: ${Buffer.byteLength(body)}`,
        'X-Frame-Options: DENY',
        'Cache-Control: no-store',
      ]),
    )
  })

  test('is a body in its place where there is one, with each line of a header', () => {
    sendAnswer(response, { status: 200, headers: { 'Set-Cookie': ['a=1', 'b=2'] }, problem: {}, body: '<p>' })
    expect(written()).toMatch(/Set-Cookie: a=1\r\nSet-Cookie: b=2\r\n.*\r\n\r\n<p>$/s)
  })

  test.each<[string, () => unknown]>([
    ['headers were sent', () => response.writeHead(200).flushHeaders()],
    ['it was answered', () => response.end('other')],
    ['the client has gone', () => response.destroy()],
  ])('is not sent any more when %s', (_name, end) => {
    expect(isOver(response)).toBe(false)
    end()
    written()
    expect(isOver(response)).toBe(true)
    sendAnswer(response, problemAnswer(403))
    expect(written()).toBe('')
  })

  test('is not sent where a response says only that its end was called, or that it is gone', () => {
    const open = { headersSent: false, writableEnded: false, destroyed: false }
    const states = [open, ...Object.keys(open).map((name) => ({ ...open, [name]: true }))]
    expect(states.map((state) => isOver(state as ServerResponse))).toEqual([false, true, true, true])
  })
})
