import { createHash } from 'node:crypto'
import { Readable } from 'node:stream'
import { createAudit } from '@countersign/core'
import { createSignedFetch, requireHmac, rfc9421 } from '@countersign/hmac'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import express, { type RequestHandler } from 'express'
import { fetch as undiciFetch } from 'undici'
import { serve } from '../../../test/support/http-server.js'
import { AUDIENCE, type Harness, hmacApp, SECRET } from './harness.js'

let app: Harness
beforeAll(async () => {
  app = await hmacApp({ formats: [rfc9421()], after: [express.json(), express.urlencoded()] })
})
afterAll(() => app.close())

const client = () =>
  createSignedFetch({
    caller: 'scheduler',
    version: 3,
    secret: SECRET,
    audience: AUDIENCE,
    now: () => app.clock.now(),
  })

describe('createSignedFetch', () => {
  test.each([
    ['text', '{"a":1}', { 'content-type': 'application/json' }],
    ['a form', new URLSearchParams({ a: '1' }), {}],
    ['a multipart form, whose boundary is made by fetch', Object.assign(new FormData(), {}), {}],
    ['no body', undefined, {}],
  ])('sends %s so that it verifies, and signs each retry separately', async (_what, body, headers) => {
    const signedFetch = client()
    for (let attempt = 0; attempt < 2; attempt += 1) {
      const method = body === undefined ? 'GET' : 'POST'
      const response = await signedFetch(`${app.url}/a/../jobs?a=%2e`, { method, body: body ?? null, headers })
      expect(response.status).toBe(200)
      await response.arrayBuffer()
    }
  })

  test('does not follow a redirect', async () => {
    const seen: string[] = []
    const elsewhere = await serve((request, response) => {
      seen.push(request.url ?? '')
      if (request.url === '/from') response.writeHead(302, { location: '/to' })
      response.end()
    })
    expect((await client()(`${elsewhere.url}/from`)).status).toBe(302)
    expect(seen).toEqual(['/from'])
    await elsewhere.close()
  })

  test('sends the body and the head of a Request', async () => {
    const request = new Request(`${app.url}/jobs`, {
      method: 'PUT',
      body: '{"a":1}',
      headers: { 'content-type': 'application/json' },
    })
    const response = await client()(request)
    expect([response.status, (await response.json()).body]).toEqual([200, { a: 1 }])
    expect((await client()(new URL(`${app.url}/jobs`), { method: 'DELETE' })).status).toBe(200)
  })

  test('keeps what init says of the sending: an abort reaches the request', async () => {
    const hung = await serve(() => undefined)
    const controller = new AbortController()
    const pending = client()(hung.url, { signal: controller.signal })
    controller.abort()
    await expect(pending).rejects.toThrow(/abort/i)
    await hung.close()
  })

  test('sends a stream whose digest is given, and not one of another digest', async () => {
    const stream = () => Readable.toWeb(Readable.from([Buffer.from('hel'), Buffer.from('lo')])) as ReadableStream
    const digestOf = (text: string) => `sha-512=:${createHash('sha512').update(text).digest('base64')}:`
    const sendStream = async (digest: string) => {
      const init = { method: 'POST', body: stream(), duplex: 'half', headers: { 'content-digest': digest } }
      return (await client()(`${app.url}/jobs`, init as RequestInit)).status
    }
    expect([await sendStream(digestOf('hello')), await sendStream(digestOf('jello'))]).toEqual([200, 401])
    await expect(sendStream('md5=:AAAA:')).rejects.toThrow('"content-digest" must be')
  })

  test('sends through another implementation of fetch', async () => {
    const options = { caller: 'scheduler', version: 3, secret: SECRET, audience: AUDIENCE, now: () => app.clock.now() }
    const signedFetch = createSignedFetch({ ...options, fetch: undiciFetch as unknown as typeof fetch })
    expect((await signedFetch(`${app.url}/jobs`, { method: 'POST', body: '{}' })).status).toBe(200)
  })

  test('takes the host of the URL for the audience when it is given none', async () => {
    let gate: RequestHandler = () => undefined
    const own = await serve(
      express().use(
        (...words) => gate(...words),
        (_request, response) => void response.end(),
      ),
    )
    const { secrets, clock } = app
    const options = { caller: 'scheduler', version: 3, secret: SECRET, now: () => clock.now() }
    const statuses = []
    for (const audience of [`127.0.0.1:${own.port}`, AUDIENCE]) {
      gate = requireHmac({ secrets, clock, audience, audit: createAudit() })
      statuses.push((await createSignedFetch(options)(own.url)).status)
    }
    await own.close()
    expect(statuses).toEqual([200, 401])
  })

  test.each([
    ['a misspelt option', { calller: 'scheduler' }, 'Did you mean "caller"?'],
    ['no version for rfc9421', { version: undefined }, 'option "version" is required'],
    ['a fetch that is none', { fetch: 1 }, 'option "fetch" must be a function'],
    ['a secret of 31 bytes', { secret: 'x'.repeat(31) }, 'at least 32 bytes'],
  ])('throws at creation for %s', (_what, wrong, message) => {
    const options = { caller: 'scheduler', version: 3, secret: SECRET, ...wrong }
    expect(() => createSignedFetch(options as never)).toThrow(message)
  })

  test('refuses a stream without a digest, and a secret that is empty', async () => {
    const body = new ReadableStream()
    await expect(client()(app.url, { method: 'POST', body, duplex: 'half' } as RequestInit)).rejects.toMatchObject({
      code: 'ERR_COUNTERSIGN_HMAC_BODY_STREAM',
    })
    expect(() => createSignedFetch({ caller: 'scheduler', version: 3, secret: '' })).toThrow('at least 32 bytes')
  })
})
