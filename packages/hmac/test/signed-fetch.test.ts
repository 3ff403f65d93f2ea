import { createSignedFetch, rfc9421 } from '@countersign/hmac'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import express from 'express'
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
  ])('sends %s so that it verifies, and each retry anew', async (_what, body, headers) => {
    const signedFetch = client()
    for (let attempt = 0; attempt < 2; attempt += 1) {
      const method = body === undefined ? 'GET' : 'POST'
      const response = await signedFetch(`${app.url}/a/../jobs?a=%2e`, { method, body, headers })
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

  test('refuses a stream, and a secret that is empty', async () => {
    const body = new ReadableStream()
    await expect(client()(app.url, { method: 'POST', body, duplex: 'half' } as RequestInit)).rejects.toMatchObject({
      code: 'ERR_HMAC_BODY_STREAM',
    })
    expect(() => createSignedFetch({ caller: 'scheduler', version: 3, secret: '' })).toThrow('at least 32 bytes')
  })
})
