import { once } from 'node:events'
import { request as httpRequest, type IncomingMessage } from 'node:http'
import { gzipSync } from 'node:zlib'
import { afterEach, describe, expect, test } from '@jest/globals'
import express, { type RequestHandler } from 'express'
import { agent, type Harness, type HarnessOptions, mcpApp, send, toolCall } from './harness.js'

let app: Harness
afterEach(() => app.close())

/** Answers with what a handler finds on the request. */
const found: RequestHandler = (request, response) => {
  response.json({ body: request.body })
}

async function start(options: HarnessOptions = {}): Promise<Record<string, string>> {
  app = await mcpApp({ before: [], tools: { 'preview_*': 'preview' }, ...options })
  return { authorization: (await app.credentials.issue(agent)).authorizationHeader }
}

/** Sends bytes as they are. */
async function post(own: Record<string, string>, body: Uint8Array | string, headers: Record<string, string> = {}) {
  const request = httpRequest({
    ...{ host: '127.0.0.1', port: app.port, method: 'POST', agent: false },
    headers: { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body), ...own, ...headers },
  })
  request.on('error', () => undefined).end(body)
  const [response] = (await once(request, 'response')) as [IncomingMessage]
  let text = ''
  for await (const chunk of response) text += String(chunk)
  return { status: response.statusCode, headers: response.headers, text }
}

const why = () => app.events.at(-1)?.attributes?.why

describe('a gate with tools and no parser before it', () => {
  test('reads the body, lets through what is allowed, and refuses what is not', async () => {
    const own = await start()
    for (const method of ['initialize', 'notifications/initialized', 'ping', 'tools/list']) {
      expect((await send(app.port, own, { jsonrpc: '2.0', id: 1, method })).status).toBe(200)
    }
    expect((await send(app.port, own, toolCall('preview_open'))).status).toBe(200)
    expect((await send(app.port, own, toolCall('shell'))).status).toBe(403)
    expect((await send(app.port, own)).status).toBe(200)
    expect((await send(app.port, own, undefined, 'DELETE')).status).toBe(200)
  })

  test.each([
    ['express.json', express.json(), toolCall('preview_open')],
    ['express.text', express.text({ type: '*/*' }), JSON.stringify(toolCall('preview_open'))],
  ])('feeds the body back to %s', async (_name, parser, expected) => {
    const own = await start({ handler: express().use(parser, found) })
    const answer = await send(app.port, own, toolCall('preview_open'))
    expect([answer.status, JSON.parse(answer.text).body]).toEqual([200, expected])
  })

  test('reads a body in chunks, and checks that of a GET or a DELETE too', async () => {
    const own = await start()
    const chunked = { ...own, 'transfer-encoding': 'chunked' }
    const text = JSON.stringify(toolCall('shell'))
    for (const method of ['POST', 'GET', 'DELETE']) {
      const request = httpRequest({ host: '127.0.0.1', port: app.port, method, headers: chunked })
      request.write(text.slice(0, 20))
      request.end(text.slice(20))
      const [response] = (await once(request, 'response')) as [IncomingMessage]
      response.resume()
      expect(response.statusCode).toBe(403)
    }
  })

  test('reads nothing of a stranger, and nothing without tools', async () => {
    await start({ maxBodyBytes: 10 })
    expect((await post({}, JSON.stringify(toolCall('preview_open')))).status).toBe(401)
    await app.close()
    const own = await start({ tools: undefined })
    expect((await post(own, 'not JSON')).status).toBe(200)
  })

  test('answers a tool that is not allowed as a JSON-RPC error with the id of the call', async () => {
    const own = await start({ denyAs: 'jsonrpc' })
    const answer = await send(app.port, own, toolCall('shell', 'call-7'))
    expect([answer.status, JSON.parse(answer.text).id]).toEqual([200, 'call-7'])
  })
})

describe('a body that cannot be read answers for what it is', () => {
  const open = JSON.stringify(toolCall('preview_open'))
  const doubled = open.replace('"method":"tools/call"', '"method":"ping","method":"tools/call"')
  const escaped = open.replace('"method":"tools/call"', '"method":"ping","m\\u0065thod":"tools/call"')

  test.each<[string, Uint8Array | string, Record<string, string>, number, string, string]>([
    ['no JSON', '{"a"', {}, 400, 'malformed_body', 'not_json'],
    ['no UTF-8', Buffer.from(open.replace('open', '\u00e9'), 'latin1'), {}, 400, 'malformed_body', 'not_json'],
    ['a byte order mark', `\ufeff${open}`, {}, 400, 'malformed_body', 'not_json'],
    ['UTF-16', Buffer.from(open, 'utf16le'), {}, 400, 'malformed_body', 'not_json'],
    ['a member twice', doubled, {}, 400, 'malformed_body', 'not_json'],
    ['a member twice, once in escapes', escaped, {}, 400, 'malformed_body', 'not_json'],
    ['nothing', '', {}, 400, 'malformed_body', 'empty'],
    ['JSON and no message', '1', {}, 400, 'malformed_body', 'not_json_rpc'],
    ['gzip', gzipSync(open), { 'content-encoding': 'gzip' }, 415, 'unsupported_body', 'encoding'],
    ['UTF-7', open, { 'content-type': 'application/json; charset=utf-7' }, 415, 'unsupported_body', 'charset'],
    [
      'two character sets',
      open,
      { 'content-type': 'application/json; charset=utf-8; charset=utf-7' },
      415,
      'unsupported_body',
      'charset',
    ],
    [
      'another character set',
      open,
      { 'content-type': 'application/json;charset=utf-8x' },
      415,
      'unsupported_body',
      'charset',
    ],
    ['a form', open, { 'content-type': 'application/x-www-form-urlencoded' }, 415, 'unsupported_body', 'form'],
    ['more than the limit', `${open}${' '.repeat(1000)}`, {}, 413, 'body_too_large', 'too_large'],
  ])('%s', async (_what, body, headers, status, reason, cause) => {
    const own = await start({ maxBodyBytes: 500 })
    const answer = await post(own, body, headers)
    expect([answer.status, app.last()]).toEqual([status, reason])
    const limit = reason === 'body_too_large' ? { limit_bytes: 500 } : {}
    expect(app.events.at(-1)?.attributes).toEqual({ why: cause, ...limit })
    expect(answer.headers['www-authenticate']).toBeUndefined()
    expect(answer.text).not.toContain('tool')
  })

  test.each([undefined, 'text/plain', 'application/json; charset=utf-8', 'application/json;charset="UTF-8"'])(
    'JSON in UTF-8 is read, as %s',
    async (type) => {
      const own = await start()
      const headers: Record<string, string> = type === undefined ? {} : { 'content-type': type }
      expect((await post(own, open, headers)).status).toBe(200)
      expect((await post(own, open.replace('preview_open', 'shell'), headers)).status).toBe(403)
    },
  )

  test('a body of unknown length beyond the limit is 413, and the client sees the status', async () => {
    const own = await start({ maxBodyBytes: 1000 })
    const request = httpRequest({
      ...{ host: '127.0.0.1', port: app.port, method: 'POST' },
      headers: { ...own, 'transfer-encoding': 'chunked' },
    })
    request.on('error', () => undefined).end(Buffer.alloc(100_000, ' '))
    const [response] = (await once(request, 'response')) as [IncomingMessage]
    expect(response.statusCode).toBe(413)
    response.resume()
  })
})

describe('a parser before the gate', () => {
  test('counts when it has read the stream, and not when it has left something else on req.body', async () => {
    for (const left of [{}, Buffer.from('{}'), 'text']) {
      const own = await start({
        before: [
          (request, _response, next) => {
            request.body = left
            next()
          },
        ],
      })
      expect((await post(own, JSON.stringify(toolCall('preview_open')))).status).toBe(200)
      expect((await post(own, JSON.stringify(toolCall('shell')))).status).toBe(403)
      await app.close()
    }
    await start()
  })

  test('does not make the gate believe it alone, when the stream is unread', async () => {
    const own = await start({
      before: [
        (request, _response, next) => {
          request.body = toolCall('shell')
          next()
        },
      ],
    })
    expect((await post(own, JSON.stringify(toolCall('preview_open')))).status).toBe(403)
  })

  test.each([
    ['text', express.text({ type: '*/*' })],
    ['bytes', express.raw({ type: '*/*' })],
  ])('that has made %s of the stream is a mistake in the order: 500 with a code', async (_what, parser) => {
    const own = await start({ before: [parser] })
    expect((await post(own, JSON.stringify(toolCall('preview_open')))).status).toBe(500)
    expect(app.events.at(-1)).toMatchObject({
      reason: 'internal_error',
      attributes: { code: 'ERR_COUNTERSIGN_BODY_CONSUMED' },
    })
  })
})

describe('what a polluted prototype has', () => {
  const prototype = Object.prototype as unknown as Record<string, unknown>
  const pollutedBy =
    (name: string, value: unknown): RequestHandler =>
    async (request, _response, next) => {
      // The body has come: the gate decides in the same turn.
      await once(request, 'readable')
      prototype[name] = value
      try {
        next()
      } finally {
        delete prototype[name]
      }
    }

  test.each<[string, string, unknown, object]>([
    ['a method is no message', 'method', 'ping', { jsonrpc: '2.0', id: 1 }],
    ['a result is no message', 'result', {}, { jsonrpc: '2.0', id: 1 }],
    ['parameters name no tool', 'params', { name: 'preview_open' }, { jsonrpc: '2.0', id: 1, method: 'tools/call' }],
    ['a name names no tool', 'name', 'preview_open', { jsonrpc: '2.0', id: 1, method: 'tools/call', params: {} }],
  ])('%s', async (_title, name, value, message) => {
    const own = await start({ before: [pollutedBy(name, value)] })
    expect((await post(own, JSON.stringify(message))).status).toBe(400)
    expect([app.last(), why()]).toEqual(['malformed_body', 'not_json_rpc'])
  })
})
