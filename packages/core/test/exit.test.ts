import { IncomingMessage, ServerResponse } from 'node:http'
import { PassThrough } from 'node:stream'
import { setImmediate as tick } from 'node:timers/promises'
import { AccessDeniedError, type Answer, type OnDenied } from '@countersign/core'
import { denied, problemAnswer, unavailable } from '@countersign/core/gate-kit'
import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals'
import type { NextFunction, Request, Response } from 'express'
import { type CaughtWarning, catchWarnings } from '../../../test/support/warnings.js'
import { ExpressExit } from '../src/gate/exit.js'

const sent: Answer = problemAnswer(401, { error: 'invalid_token' })
const refusal = denied('unknown')

let warnings: CaughtWarning[]
let stop: () => void
let socket: PassThrough
let response: Response
let next: jest.Mock
beforeEach(() => {
  ;({ warnings, stop } = catchWarnings())
  socket = new PassThrough()
  response = serverResponse()
  next = jest.fn()
})
afterEach(() => stop())

function serverResponse(): Response {
  const made = new ServerResponse(new IncomingMessage(socket as never))
  made.assignSocket(socket as never)
  return made as Response
}

const exit = (incoming: object = {}) => new ExpressExit(incoming as Request, response, next as unknown as NextFunction)

/** What was written: the status, and the body's JSON; undefined for nothing. */
function written(): unknown {
  const text = String(socket.read() ?? '')
  if (text === '') return undefined
  return [Number(text.slice(9, 12)), JSON.parse(text.slice(text.indexOf('{')))]
}
const REFUSED = [401, expect.objectContaining({ error: 'invalid_token' })]

/** Why nothing can be sent any more. */
const overs: [string, () => void][] = [
  ['another one has begun to answer', () => response.writeHead(200)],
  ['another one has answered', () => response.end()],
  ['the client has gone', () => response.destroy()],
]

describe('a granted request', () => {
  test('is passed on once, without an error', () => {
    exit().admit()
    expect(next.mock.calls).toEqual([[]])
  })

  test('is not passed on when another one has begun to answer', () => {
    response.writeHead(504)
    exit().admit()
    expect(next).not.toHaveBeenCalled()
  })

  const unread = { readable: false, readableEnded: false, destroyed: false, errored: null }
  test.each<[string, object, boolean]>([
    ['can be read although an adapter says that it cannot', unread, true],
    ['can be read as before', { ...unread, readable: true }, true],
    ['cannot be read when it has been', { ...unread, readableEnded: true }, false],
    ['cannot be read when it was cut off', { ...unread, destroyed: true }, false],
    ['cannot be read when it failed', { ...unread, errored: new Error('reset') }, false],
  ])('has a body that %s', (_name, incoming, isReadable) => {
    exit(incoming).admit()
    expect([incoming, next.mock.calls.length]).toEqual([expect.objectContaining({ readable: isReadable }), 1])
  })

  test('has nothing added where a request does not say whether it can be read', () => {
    const incoming = { readableEnded: false, destroyed: false, errored: null }
    exit(incoming).admit()
    expect('readable' in incoming).toBe(false)
  })
})

describe('a refused request', () => {
  test("is answered, or its error is passed on: by 'respond' and 'next'", () => {
    exit().refuse(refusal, sent, 'next')
    expect([written(), next.mock.calls]).toEqual([undefined, [[expect.any(AccessDeniedError)]]])
    exit().refuse(refusal, sent, 'respond')
    expect([written(), next.mock.calls.length]).toEqual([REFUSED, 1])
  })

  test('is handed to a function, with the request and the response', () => {
    const onDenied = jest.fn()
    const incoming = { url: '/1' }
    exit(incoming).refuse(refusal, sent, onDenied as OnDenied)
    const denial = { verdict: refusal, answer: sent, respond: expect.any(Function) }
    expect(onDenied.mock.calls).toEqual([[denial, incoming, response, expect.any(Function)]])
    expect([written(), next.mock.calls]).toEqual([undefined, []])
  })

  test('by a bug is passed on as an error, and no function is asked', () => {
    const onDenied = jest.fn()
    exit().refuse({ outcome: 'failed', error: new Error('a bug') }, problemAnswer(500), onDenied as OnDenied)
    expect([onDenied.mock.calls, next.mock.calls]).toEqual([[], [[expect.any(AccessDeniedError)]]])
  })

  test.each(overs)('is left alone when %s', (_name, end) => {
    end()
    socket.read()
    for (const onDenied of ['respond', 'next', jest.fn()] as const) {
      exit().refuse(refusal, sent, onDenied as OnDenied)
      if (typeof onDenied === 'function') expect(onDenied).not.toHaveBeenCalled()
    }
    exit().send(sent)
    expect([written(), next.mock.calls]).toEqual([undefined, []])
  })
})

describe('a function that answers refusals', () => {
  const refuse = (onDenied: OnDenied) => exit().refuse(unavailable('keys'), sent, onDenied)

  test('sends the answer of the gate', () => {
    refuse(({ respond }) => respond())
    expect([written(), next.mock.calls]).toEqual([REFUSED, []])
  })

  test('passes its first error on, and then nothing more', () => {
    const first = new Error('first')
    refuse(({ respond }, _request, _response, pass) => {
      pass(first)
      pass(new Error('second'))
      respond()
      throw new Error('third')
    })
    expect([written(), next.mock.calls]).toEqual([undefined, [[first]]])
  })

  test('passes no error on when it has answered', () => {
    refuse(({ respond }, _request, _response, pass) => {
      respond()
      pass(new Error('too late'))
    })
    expect([written(), next.mock.calls]).toEqual([REFUSED, []])
  })

  test.each([[undefined], [null], ['route'], [{ status: 200 }]])(
    'that passes %j on lets nothing through: the answer is sent',
    (value) => {
      refuse((_denial, _request, _response, pass) => (pass as (value: unknown) => void)(value))
      expect([written(), next.mock.calls]).toEqual([REFUSED, []])
    },
  )

  test.each<[string, () => void | Promise<void>]>([
    [
      'throws',
      () => {
        throw new Error('no template for hunter2-PLANTED')
      },
    ],
    ['rejects', async () => Promise.reject(new Error('no template for hunter2-PLANTED'))],
  ])('that %s is 500 without detail, and one warning that names it and hides what was sent', async (_name, fail) => {
    exit({ rawHeaders: ['x-key', 'hunter2-PLANTED'], headers: {}, url: '/' }).refuse(refusal, sent, fail)
    await tick()
    expect(written()).toEqual([500, { type: 'about:blank', title: 'Internal Server Error', status: 500 }])
    expect(next).not.toHaveBeenCalled()
    const message = expect.stringMatching(/^onDenied: .* no template for …/)
    expect(warnings).toMatchObject([{ code: 'COUNTERSIGN_INTERNAL_ERROR', message }])
  })
})

test('an answer is sent, and none after it', () => {
  exit().send(sent)
  exit().send(problemAnswer(500))
  expect(written()).toEqual(REFUSED)
})
