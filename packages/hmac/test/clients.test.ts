import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { createServer, request as httpRequest, type IncomingMessage, type RequestOptions } from 'node:http'
import { Readable } from 'node:stream'
import { createSigningInterceptor, rfc9421, type SigningClientOptions, sendSigned, xHeaders } from '@countersign/hmac'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import express from 'express'
import { Agent, interceptors, fetch as undiciFetch } from 'undici'
import { serve } from '../../../test/support/http-server.js'
import { AUDIENCE, type Harness, hmacApp, SECRET } from './harness.js'

let app: Harness
const agents: Agent[] = []
beforeAll(async () => {
  app = await hmacApp({ formats: [rfc9421(), xHeaders()], after: [express.json()] })
})
afterAll(async () => {
  await Promise.all(agents.map((agent) => agent.destroy()))
  await app.close()
})

const signing = (rest: Partial<SigningClientOptions> = {}): SigningClientOptions => {
  app.clock.advance(1000)
  return { caller: 'scheduler', version: 3, secret: SECRET, audience: AUDIENCE, now: () => app.clock.now(), ...rest }
}

const digestOf = (text: string) => `sha-256=:${createHash('sha256').update(text).digest('base64')}:`
const chunks = () => Readable.from([Buffer.from('{"a"'), Buffer.from(':1}')])

describe('the interceptor of undici', () => {
  function agentWith(rest: Partial<SigningClientOptions> & { origins?: readonly string[] } = {}) {
    const agent = new Agent()
    agents.push(agent)
    return agent.compose(createSigningInterceptor({ ...signing(rest), origins: rest.origins ?? [app.url] }))
  }

  async function request(options: { [name: string]: unknown }, agent = agentWith()) {
    const { statusCode, body } = await agent.request({
      origin: app.url,
      path: '/jobs',
      method: 'POST',
      ...options,
    } as never)
    const text = await body.text()
    return { statusCode, answer: statusCode === 200 ? JSON.parse(text) : text }
  }

  test.each([
    ['a text', { body: '{"a":1}', headers: { 'Content-Type': 'application/json' } }],
    ['bytes', { body: Buffer.from('{"a":1}'), headers: ['content-type', 'application/json'] }],
    ['pairs of headers', { body: '{"a":1}', headers: new Map([['content-type', 'application/json']]) }],
    ['a list in a header', { body: '{"a":1}', headers: { 'content-type': 'application/json', 'x-a': ['1', '2'] } }],
    [
      'a query of its own',
      { body: '{"a":1}', headers: { 'content-type': 'application/json' }, query: { q: ['1', 'ü'] } },
    ],
    [
      'a stream whose digest is given',
      { body: chunks(), headers: { 'content-type': 'application/json', 'content-digest': digestOf('{"a":1}') } },
    ],
  ])('signs a request with %s', async (_what, options) => {
    const { statusCode, answer } = await request(options)
    expect([statusCode, answer.body]).toEqual([200, { a: 1 }])
  })

  test('signs in xHeaders, and a GET without a body', async () => {
    const agent = agentWith({ format: xHeaders() })
    expect((await request({ method: 'GET' }, agent)).statusCode).toBe(200)
  })

  test('signs each attempt of a retry separately', async () => {
    let attempts = 0
    const nonces: unknown[] = []
    const flaky = await serve((incoming, response) => {
      attempts += 1
      nonces.push(incoming.headers['signature-input'])
      if (attempts < 3) response.writeHead(503).end()
      else app.server.emit('request', incoming, response)
    })
    const agent = new Agent()
    agents.push(agent)
    const retrying = agent.compose(
      createSigningInterceptor({ ...signing(), origins: [flaky.url] }),
      interceptors.retry({ minTimeout: 1, methods: ['POST'], statusCodes: [503] }),
    )
    const { statusCode, body } = await retrying.request({
      origin: flaky.url,
      path: '/jobs',
      method: 'POST',
      body: '{}',
    })
    await body.dump()
    expect([statusCode, attempts, new Set(nonces).size]).toEqual([200, 3, 3])
    await flaky.close()
  })

  test('signs for its origins alone, so that a redirect leads nowhere', async () => {
    const seen: unknown[] = []
    const elsewhere = createServer((incoming, response) => {
      seen.push(incoming.headers)
      response.end()
    }).listen(0, '127.0.0.1')
    await once(elsewhere, 'listening')
    const { port } = elsewhere.address() as { port: number }
    const redirecting = await serve((_incoming, response) => {
      response.writeHead(307, { location: `http://127.0.0.1:${port}/internal/pay` }).end()
    })
    const agent = new Agent()
    agents.push(agent)
    const following = agent.compose(
      createSigningInterceptor({ ...signing(), origins: [redirecting.url] }),
      interceptors.redirect({ maxRedirections: 3 }),
    )
    await expect(
      following.request({ origin: redirecting.url, path: '/', method: 'POST', body: 'x' }),
    ).rejects.toMatchObject({
      code: 'ERR_COUNTERSIGN_HMAC_ORIGIN',
    })
    expect(seen).toEqual([])
    await redirecting.close()
    elsewhere.close()
  })

  test('refuses a body whose bytes it does not know: a stream, and every body of fetch', async () => {
    await expect(request({ body: chunks() })).rejects.toMatchObject({ code: 'ERR_COUNTERSIGN_HMAC_BODY_STREAM' })
    const dispatcher = agentWith()
    const fetching = undiciFetch(`${app.url}/jobs`, { method: 'POST', body: 'hello', dispatcher })
    await expect(fetching).rejects.toMatchObject({ cause: { code: 'ERR_COUNTERSIGN_HMAC_BODY_STREAM' } })
    expect((await undiciFetch(`${app.url}/jobs`, { dispatcher })).status).toBe(200)
  })

  test.each([
    ['no origins', { origins: [] }, 'option "origins" must be'],
    ['an origin with a path', { origins: ['https://a.example.com/'] }, 'option "origins" must be'],
    ['a misspelt option', { orgins: ['https://a.example.com'] }, 'Did you mean "origins"?'],
    ['a short secret', { secret: 'x' }, 'at least 32 bytes'],
  ])('throws at creation for %s', (_what, wrong, message) => {
    const options = { ...signing(), origins: ['https://a.example.com'], ...wrong }
    expect(() => createSigningInterceptor(options as never)).toThrow(message)
  })

  test('refuses a query in two places', async () => {
    await expect(request({ path: '/jobs?a=1', query: { b: 2 } })).rejects.toMatchObject({
      code: 'ERR_COUNTERSIGN_OPTION_INVALID',
    })
  })
})

describe('sendSigned', () => {
  async function answerOf(
    body: string | Uint8Array | Readable | undefined,
    rest: RequestOptions = {},
    options = signing(),
  ) {
    const target = {
      host: '127.0.0.1',
      port: app.port,
      method: 'POST',
      path: '/jobs?a=1',
      agent: false as const,
      ...rest,
    }
    const request = httpRequest(target)
    const answered = once(request, 'response') as Promise<[IncomingMessage]>
    answered.catch(() => undefined)
    sendSigned(request, body, options)
    const [response] = await answered
    let text = ''
    for await (const chunk of response) text += String(chunk)
    return { status: response.statusCode, body: response.statusCode === 200 ? JSON.parse(text).body : undefined }
  }

  const json = { headers: { 'content-type': 'application/json' } }

  test.each([
    ['a text', '{"a":1}', json],
    ['bytes', Buffer.from('{"a":1}'), json],
    [
      'a stream whose digest is given',
      chunks(),
      { headers: { ...json.headers, 'Content-Digest': digestOf('{"a":1}') } },
    ],
  ])('signs and sends %s', async (_what, body, rest) => {
    expect(await answerOf(body, rest)).toEqual({ status: 200, body: { a: 1 } })
  })

  test('signs and sends no body, by GET and by DELETE, in either format', async () => {
    for (const method of ['GET', 'DELETE']) {
      expect((await answerOf(undefined, { method })).status).toBe(200)
      expect((await answerOf(undefined, { method }, signing({ format: xHeaders() }))).status).toBe(200)
    }
  })

  test('takes the Host for the audience when it is given none', async () => {
    const headers = { host: AUDIENCE }
    const { audience: _, ...options } = signing()
    expect((await answerOf('{}', { headers }, options)).status).toBe(200)
    expect((await answerOf('{}', {}, options)).status).toBe(401)
  })

  test('refuses a stream without a digest, and sends nothing', () => {
    const request = httpRequest({ host: '127.0.0.1', port: app.port, method: 'POST' }).on('error', () => undefined)
    expect(() => sendSigned(request, chunks(), signing())).toThrow('Content-Digest')
    expect(request.headersSent).toBe(false)
    request.destroy()
  })

  test('refuses a request whose headers are on their way', () => {
    const request = httpRequest({ host: '127.0.0.1', port: app.port, headers: { expect: '100-continue' } })
    request.on('error', () => undefined)
    expect(() => sendSigned(request, 'x', signing())).toThrow('"request" were already sent')
    request.destroy()
  })

  test('ends the request when its stream fails', async () => {
    const failing = new Readable({
      read() {
        this.destroy(new Error('no more'))
      },
    })
    const headers = { 'content-digest': digestOf('x') }
    const request = httpRequest({ host: '127.0.0.1', port: app.port, method: 'POST', headers })
    const failed = once(request, 'error')
    sendSigned(request, failing, signing())
    expect(await failed).toHaveLength(1)
  })
})
