import { createHash, createHmac } from 'node:crypto'
import { once } from 'node:events'
import { request as httpRequest, type IncomingMessage } from 'node:http'
import {
  createSignedFetch,
  createSigningInterceptor,
  rfc9421,
  type SignatureFormat,
  type SigningClientOptions,
  sendSigned,
  xHeaders,
} from '@countersign/hmac'
import { afterEach, describe, expect, test } from '@jest/globals'
import type { RequestHandler } from 'express'
import { createSigner, httpbis } from 'http-message-signatures'
import { Agent } from 'undici'
import { AUDIENCE, type Harness, hmacApp, SECRET, send, signed } from './harness.js'

const requiredFields = ['Idempotency-Key', 'x-trigger-type']
const FIELDS = { 'idempotency-key': 'key-1', 'x-trigger-type': 'cron' }
const EMPTY_SHA256 = createHash('sha256').update('').digest()

let app: Harness
afterEach(() => app.close())

const rows: [string, SignatureFormat, SignatureFormat][] = [
  ['rfc9421', rfc9421({ requiredFields }), rfc9421()],
  ['xHeaders', xHeaders({ requiredFields }), xHeaders()],
]

describe.each(rows)('requiredFields of %s', (name, format, plain) => {
  type Fields = Record<string, string | string[]>
  const sign = (headers: Record<string, string> = FIELDS, own = format) => {
    app.clock.advance(1000)
    return signed({ format: own, version: 3, headers, now: app.clock.now() })
  }
  const outcome = async (headers: Fields) => {
    const { status } = await send(app.port, 'POST', '/jobs?a=1', headers)
    return [status, app.last(), app.events.at(-1)?.attributes?.part]
  }

  test('are signed, so that none can be changed, taken out or doubled', async () => {
    app = await hmacApp({ formats: [format] })
    expect(await outcome({ ...FIELDS, ...sign() })).toEqual([200, 'granted', undefined])
    for (const field of ['idempotency-key', 'x-trigger-type'] as const) {
      const { [field]: value, ...others } = FIELDS
      expect(await outcome({ ...sign(), ...others })).toEqual([401, 'malformed', expect.any(String)])
      expect(await outcome({ ...sign(), ...FIELDS, [field]: '' })).toEqual([401, 'bad_signature', undefined])
      expect(await outcome({ ...sign(), ...FIELDS, [field]: `${value}1` })).toEqual([401, 'bad_signature', undefined])
      const twice = await outcome({ ...sign(), ...FIELDS, [field]: [value, value] })
      expect(twice.slice(0, 2)).toEqual([400, 'ambiguous'])
    }
    const swapped = { 'idempotency-key': 'cron', 'x-trigger-type': 'key-1' }
    expect(await outcome({ ...sign(), ...swapped })).toEqual([401, 'bad_signature', undefined])
  })

  test('are required of a signature that does not cover them', async () => {
    app = await hmacApp({ formats: [format] })
    const expected = name === 'rfc9421' ? ['malformed', 'idempotency-key'] : ['bad_signature', undefined]
    expect(await outcome({ ...FIELDS, ...sign(FIELDS, plain) })).toEqual([401, ...expected])
    expect(await outcome(sign(FIELDS, plain))).toEqual([401, 'malformed', 'idempotency-key'])
  })

  test('are no presence by themselves: a request with them alone presents nothing', async () => {
    app = await hmacApp({ formats: [format], legacy: { headers: ['x-service-key'], keys: { scheduler: ['old-key'] } } })
    expect((await outcome(FIELDS)).slice(0, 2)).toEqual([401, 'missing'])
    expect((await outcome({ ...FIELDS, 'x-service-key': 'old-key' })).slice(0, 2)).toEqual([200, 'granted'])
    expect((await outcome({ 'x-trigger-type': ['a', 'b'], 'x-service-key': 'old-key' }))[1]).toBe('granted')
  })

  test.each([
    ['with white space around', ' \t key  1 \t'],
    ['that is empty', ''],
    ['with a comma and an equals sign', 'a=b, c'],
    ['with bytes beyond ASCII', 'sch\u00fcssel\u00a0'],
  ])('may have a value %s', async (_what, value) => {
    app = await hmacApp({ formats: [format] })
    const fields = { ...FIELDS, 'idempotency-key': value }
    expect(await outcome({ ...fields, ...sign(fields) })).toEqual([200, 'granted', undefined])
  })

  test('that the request has not are not signed', async () => {
    app = await hmacApp({ formats: [format] })
    expect(() => sign({ 'idempotency-key': 'key-1' })).toThrow('sign: the request has no "x-trigger-type"')
    expect(() => sign({})).toThrow('sign: the request has no "idempotency-key"')
  })

  test('are signed by every client', async () => {
    app = await hmacApp({ formats: [format] })
    const now = () => app.clock.now()
    const nonce = true
    const own: SigningClientOptions = {
      caller: 'scheduler',
      version: 3,
      secret: SECRET,
      audience: AUDIENCE,
      format,
      now,
      nonce,
    }
    const init = { method: 'POST', headers: FIELDS }
    const agent = new Agent()
    const signing = agent.compose(createSigningInterceptor({ ...own, origins: [app.url] }))
    const dispatched = await signing.request({ origin: app.url, path: '/a', ...init, method: 'POST' })
    await dispatched.body.dump()
    await agent.destroy()
    const request = sendSigned(httpRequest(`${app.url}/a`, init), undefined, own)
    const [response] = (await once(request, 'response')) as [IncomingMessage]
    response.resume()
    const fetched = await createSignedFetch(own)(`${app.url}/a`, init)
    expect([fetched.status, dispatched.statusCode, response.statusCode]).toEqual([200, 200, 200])
    await expect(createSignedFetch(own)(`${app.url}/a`)).rejects.toThrow('the request has no "idempotency-key"')
  })

  test('that hold an override of the method are the remedy against one that nobody signed', async () => {
    /** What method-override does behind the gate: the route is that of another method. */
    const override: RequestHandler = (request, _response, next) => {
      request.method = request.get('x-http-method-override') ?? request.method
      next()
    }
    const answer: RequestHandler = (request, response) => void response.end(request.method)
    const named = { requiredFields: ['x-http-method-override'] }
    const strict = name === 'rfc9421' ? rfc9421(named) : xHeaders(named)
    const attack = async (own: SignatureFormat, headers: Record<string, string>) => {
      const fields = sign(headers, own)
      const { status, text } = await send(app.port, 'POST', '/jobs?a=1', {
        ...fields,
        'x-http-method-override': 'DELETE',
      })
      return [status, status === 200 ? text : app.last()]
    }
    app = await hmacApp({ formats: [plain], after: [override, answer] })
    expect(await attack(plain, {})).toEqual([200, 'DELETE'])
    await app.close()
    app = await hmacApp({ formats: [strict], after: [override, answer] })
    expect(await attack(strict, { 'x-http-method-override': 'POST' })).toEqual([401, 'bad_signature'])
    await app.close()
    app = await hmacApp({ formats: [plain], before: [override], after: [answer] })
    expect(await attack(plain, {})).toEqual([401, 'bad_signature'])
  })
})

test('xHeaders signs one line for each field, in the order of the option, in front of the nonce', async () => {
  app = await hmacApp({ formats: [xHeaders({ requiredFields: ['X-B', 'x-a'] })] })
  const seconds = String(app.clock.now() / 1000)
  const lines = ['POST', '/jobs?a=1', 'scheduler', EMPTY_SHA256.toString('hex'), seconds, AUDIENCE]
  const text = [...lines, 'field:x-b=2', 'field:x-a=1', 'nonce=n'].join('\n')
  const headers = {
    ...{ 'x-a': '1', 'x-b': '2', 'x-countersign-caller': 'scheduler', 'x-countersign-timestamp': seconds },
    'x-countersign-signature': createHmac('sha256', SECRET).update(text).digest('hex'),
    'x-countersign-nonce': 'n',
  }
  expect((await send(app.port, 'POST', '/jobs?a=1', headers)).status).toBe(200)
})

test('[hmac-interop] Accept-Signature asks for the fields, and another implementation covers them', async () => {
  const format = rfc9421({ requiredFields: [...requiredFields, 'content-digest', 'content-type'] })
  app = await hmacApp({ formats: [format] })
  const asked = (await send(app.port, 'POST', '/jobs?a=1')).headers['accept-signature']
  const names = [
    '@method',
    '@authority',
    '@path',
    '@query',
    'content-digest',
    'idempotency-key',
    'x-trigger-type',
    'content-type',
  ]
  expect(asked).toBe(`sig1=(${names.map((one) => `"${one}"`).join(' ')});created;alg="hmac-sha256";tag="countersign"`)
  const digest = `sha-256=:${EMPTY_SHA256.toString('base64')}:`
  const { headers } = await httpbis.signMessage(
    {
      key: createSigner(Buffer.from(SECRET), 'hmac-sha256', 'scheduler/3'),
      fields: names,
      params: ['created', 'nonce', 'keyid', 'tag'],
      paramValues: { created: new Date(app.clock.now()), nonce: 'theirs', tag: 'countersign' },
    },
    {
      method: 'POST',
      url: `https://${AUDIENCE}/jobs?a=1`,
      headers: { ...FIELDS, 'content-digest': digest, 'content-type': 'text/plain' },
    },
  )
  expect((await send(app.port, 'POST', '/jobs?a=1', headers as Record<string, string>)).status).toBe(200)
  expect(
    signed({ format, version: 3, now: 0, headers: { ...FIELDS, 'content-type': 'a' } })['Signature-Input'],
  ).toContain('"content-digest" "idempotency-key" "x-trigger-type" "content-type")')
})

test('a list of fields is checked at creation', async () => {
  app = await hmacApp()
  for (const make of [rfc9421, xHeaders]) {
    for (const wrong of [['a b'], [''], ['a', 'A'], ['@path'], ['a\n'], [1], 'idempotency-key', ['a=b']]) {
      expect(() => make({ requiredFields: wrong as never })).toThrow('must be a list of header field names, none twice')
    }
  }
  expect(() => rfc9421({ requiredFields: ['Signature'] })).toThrow(
    'names "signature", which the signature itself writes',
  )
  expect(() => xHeaders({ requiredFields: ['x-countersign-nonce'] })).toThrow('names "x-countersign-nonce", which')
})
