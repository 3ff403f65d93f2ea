import type { IncomingMessage } from 'node:http'
import { Readable } from 'node:stream'
import { describe, expect, test } from '@jest/globals'
import { type JsonBody, jsonBodyOf, readJsonBody } from '../src/tools/json-body.js'

const MESSAGE = { jsonrpc: '2.0', id: 1, method: 'ping' }
const TEXT = JSON.stringify(MESSAGE)
const OTHER = { method: 'tools/call' }

interface Given {
  readonly method?: string
  readonly headers?: Record<string, string>
  /** What something has put on `req.body`. */
  readonly body?: unknown
}

/** A request whose bytes nobody has read. */
function unread(text: string, { method = 'POST', headers = {}, body }: Given = {}) {
  const stream = Readable.from([Buffer.from(text)], { objectMode: false })
  return Object.assign(stream, { method, headers, body, complete: true }) as unknown as IncomingMessage
}

const readOf = async (request: IncomingMessage, maxBytes = 1000): Promise<JsonBody> => readJsonBody(request, maxBytes)
const values = (...read: unknown[]) => ({ outcome: 'read', values: read })
const refused = (reason: string, why: string) => ({ outcome: 'refused', reason, why })

describe('the JSON of a body is', () => {
  test('what a parser made of it, where one has read it', async () => {
    const request = { body: OTHER, readableDidRead: true, readableEnded: true } as unknown as IncomingMessage
    expect(await readOf(request)).toEqual(values(OTHER))
    expect(jsonBodyOf(request)).toBe(OTHER)
  })

  test('its bytes, where nobody has', async () => {
    const request = unread(TEXT)
    expect(jsonBodyOf(request)).toBeUndefined()
    expect(await readOf(request)).toEqual(values(MESSAGE))
    expect(jsonBodyOf(request)).toEqual(MESSAGE)
    expect(String(await request.toArray())).toBe(TEXT)
  })

  test.each([[OTHER], [[OTHER]], [[]], [1], [true]])('its bytes and %j that was put in its place', async (body) => {
    expect(await readOf(unread(TEXT, { body }))).toEqual(values(MESSAGE, body))
    expect(await readOf(unread('', { body }))).toEqual(values(body))
  })

  test.each([[undefined], [null], [{}], ['text'], [Buffer.from('bytes')]])(
    'its bytes alone, where %j was put in its place',
    async (body) => {
      expect(await readOf(unread(TEXT, { body }))).toEqual(values(MESSAGE))
      expect(await readOf(unread('', { body }))).toEqual(refused('malformed_body', 'empty'))
    },
  )

  test.each(['GET', 'HEAD', 'DELETE', 'OPTIONS'])('none, of a %s that has no body', async (method) => {
    expect(await readOf(unread('', { method }))).toEqual(values())
    expect(await readOf(unread('', { method, body: OTHER }))).toEqual(values(OTHER))
  })
})

describe('refused is', () => {
  test.each(['POST', 'PUT', 'PATCH'])('a %s without a body', async (method) => {
    expect(await readOf(unread('', { method }))).toEqual(refused('malformed_body', 'empty'))
  })

  test('a body beyond the limit', async () => {
    expect(await readOf(unread(TEXT), TEXT.length)).toEqual(values(MESSAGE))
    expect(await readOf(unread(TEXT), TEXT.length - 1)).toEqual(refused('body_too_large', 'too_large'))
  })

  test('a body whose client has gone', async () => {
    const stream = new Readable({ read: () => undefined })
    const request = Object.assign(stream, { method: 'POST', headers: {} }) as unknown as IncomingMessage
    const read = readOf(request)
    stream.destroy()
    expect(await read).toEqual(refused('malformed_body', 'aborted'))
  })

  test.each(['{', 'x', '{"a":1,"a":2}'])('%j, which is no JSON', async (text) => {
    const request = unread(text, { body: OTHER })
    expect(await readOf(request)).toEqual(refused('malformed_body', 'not_json'))
    expect(jsonBodyOf(request)).toBe(OTHER)
  })
})

test.each([
  ['identity', undefined],
  [' Identity ', undefined],
  ['gzip', 'encoding'],
  ['identity, gzip', 'encoding'],
])('of the content encoding %j: %s', async (encoding, why) => {
  const read = await readOf(unread(TEXT, { headers: { 'content-encoding': encoding } }))
  expect(read).toEqual(why === undefined ? values(MESSAGE) : refused('unsupported_body', why))
})

test.each([
  ['application/json', undefined],
  ['text/plain', undefined],
  ['application/json;charset=utf-8', undefined],
  ['application/json; \tCharset="UTF-8"\t ; x=y', undefined],
  ['application/json; charset=utf-8x', 'charset'],
  ['application/json; charset=utf-8x;', 'charset'],
  ['application/json; charset=utf-7', 'charset'],
  ['application/json; charset=xutf-8', 'charset'],
  ['application/json; xcharset=utf-8', 'charset'],
  ['application/json; charset', 'charset'],
  ['application/json; charset=utf-8; charset=utf-8', 'charset'],
  ['application/x-www-form-urlencoded', 'form'],
  ['application/x-www-form-urlencoded; charset=utf-8', 'form'],
])('of the content type %j: %s', async (type, why) => {
  const read = await readOf(unread(TEXT, { headers: { 'content-type': type } }))
  expect(read).toEqual(why === undefined ? values(MESSAGE) : refused('unsupported_body', why))
})
