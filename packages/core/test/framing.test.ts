import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import { connect as connectHttp2, createServer as createHttp2Server } from 'node:http2'
import { type AddressInfo, connect } from 'node:net'
import { mayLackLines } from '@countersign/core/body'
import { isUpgrade } from '@countersign/core/gate-kit'
import { describe, expect, test } from '@jest/globals'
import { serve } from '../../../test/support/http-server.js'
import { declaredLength, hasBody, http2StreamOf, isFramed, markUpgrade } from '../src/request/message.js'

/** What the framing fields say of a request. */
const framing = (request: IncomingMessage) => ({ body: hasBody(request), length: declaredLength(request) })

const adapted = (shape: object) => shape as IncomingMessage

/** What `see` says of a request with these lines, while Node's parser works on it. */
async function onArrival<T>(lines: readonly string[], see: (request: IncomingMessage) => T, most?: number): Promise<T> {
  let seen: T | undefined
  const running = await serve((request, response) => {
    seen = see(request)
    response.end()
  })
  if (most !== undefined) running.server.maxHeadersCount = most
  const client = connect(running.port, '127.0.0.1')
  client.end(`${['POST / HTTP/1.1', 'Host: tests', 'Connection: close', ...lines].join('\r\n')}\r\n\r\n`)
  await once(client.resume(), 'close')
  await running.close()
  return seen as T
}

describe('the framing fields', () => {
  test.each<[string, readonly string[], ReturnType<typeof framing>]>([
    ['no field', [], { body: false, length: undefined }],
    ['a length of nothing', ['Content-Length: 0'], { body: false, length: 0 }],
    ['a length', ['Content-Length: 7', '', '1234567'], { body: true, length: 7 }],
    ['chunks', ['Transfer-Encoding: chunked', '', '0'], { body: true, length: undefined }],
  ])('say whether a body follows, and how long it is: %s', async (_title, lines, expected) => {
    expect(await onArrival(lines, framing)).toEqual(expected)
  })

  test('say nothing of the length where chunks are declared beside it', () => {
    const rawHeaders = ['Content-Length', '0', 'Transfer-Encoding', 'chunked']
    expect(framing(adapted({ rawHeaders }))).toEqual({ body: true, length: undefined })
  })

  test('count for the message that the HTTP/1 parser works on, and for no other', async () => {
    let answered: IncomingMessage | undefined
    const seen = await onArrival([], (request) => {
      answered = request
      return { own: isFramed(request), copy: isFramed(Object.create(request)) }
    })
    expect(seen).toEqual({ own: true, copy: false })
    expect(isFramed(answered as IncomingMessage)).toBe(false)
  })

  test.each([{}, { socket: null }, { socket: {} }, { socket: { parser: null } }])(
    'do not count for what an adapter built: %j',
    (shape) => {
      expect(isFramed(adapted(shape))).toBe(false)
    },
  )
})

describe('the stream of a request', () => {
  test('is that of HTTP/2', async () => {
    const server = createHttp2Server((request, response) => {
      const { stream } = request
      response.end(String(http2StreamOf(request as unknown as IncomingMessage) === (stream as unknown)))
    })
    await once(server.listen(0, '127.0.0.1'), 'listening')
    const client = connectHttp2(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
    const [said] = await once(client.request().setEncoding('utf8'), 'data')
    expect(said).toBe('true')
    client.destroy()
    server.close()
    await once(server, 'close')
  })

  test.each([
    ['HTTP/1', { httpVersionMajor: 1, stream: { readableEnded: false } }],
    ['HTTP/2 by what an adapter says, without a stream', { httpVersionMajor: 2 }],
    ['HTTP/2 by what an adapter says, with something else', { httpVersionMajor: 2, stream: {} }],
  ])('is none of %s', (_title, shape) => {
    expect(http2StreamOf(adapted(shape))).toBeUndefined()
  })
})

describe('a message may lack lines', () => {
  const three = ['X-A: 1']

  test.each<[string, number, boolean]>([
    ['when it has as many as the server keeps', 3, true],
    ['not when it has fewer', 4, false],
    ['not when the server keeps all', 0, false],
  ])('%s', async (_title, most, expected) => {
    expect(await onArrival(three, mayLackLines, most)).toBe(expected)
  })

  test('when it has the thousand that Node keeps of itself', async () => {
    const lines = Array.from({ length: 998 }, () => 'X: 1')
    expect(await onArrival(lines, mayLackLines)).toBe(true)
    expect(await onArrival(lines.slice(1), mayLackLines)).toBe(false)
  })

  test.each([{}, { socket: null }, { socket: {} }])('where an adapter built it, as of Node: %j', (shape) => {
    expect(mayLackLines(adapted({ ...shape, rawHeaders: ['a', '1'] }))).toBe(false)
    expect(mayLackLines(adapted({ ...shape, rawHeaders: Array(2000).fill('a') }))).toBe(true)
  })
})

describe('the mark of an upgrade', () => {
  test('is on the request alone that a gate decides on, and on no copy of it', () => {
    const request = adapted({ method: 'GET' })
    expect(isUpgrade(request)).toBe(false)
    markUpgrade(request)
    expect(isUpgrade(request)).toBe(true)
    expect(isUpgrade(Object.create(request))).toBe(false)
    expect(isUpgrade({ ...request } as IncomingMessage)).toBe(false)
    expect(Object.entries(request)).toEqual([['method', 'GET']])
  })

  test('is found by another copy of the package, and made again by it', () => {
    const request = adapted({})
    markUpgrade(request)
    expect(Reflect.get(request, Symbol.for('countersign.upgrade/1'))).toBe(request)
    markUpgrade(request)
    expect(isUpgrade(request)).toBe(true)
  })
})
