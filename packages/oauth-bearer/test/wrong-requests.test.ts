import { asOAuthTokenVerifier } from '@countersign/core/mcp-sdk'
import { afterEach, expect, test } from '@jest/globals'
import express from 'express'
import { type Harness, oauthApp } from './harness.js'
import { wire } from './wire.js'

let app: Harness
afterEach(() => app.stop())

const TWICE = 'There is more than one Authorization header field'
const ELSEWHERE = 'An access token belongs in the Authorization header field, not in the query or in a form'
const NO_SCHEME = 'The Authorization header field has no authentication scheme'
const NO_TOKEN = 'One access token is expected after the scheme, without spaces and quotes'

test.each<[string, { authorization?: string | string[]; path?: string; form?: string }, string]>([
  ['two fields', { authorization: ['Bearer a', 'Bearer b'] }, TWICE],
  ['a token in the query', { path: '/?access_token=a' }, ELSEWHERE],
  ['a token in a form', { form: 'access_token=a' }, ELSEWHERE],
  ['a variable that was not expanded', { authorization: '{{TOKEN}}' }, NO_SCHEME],
  ['a variable of a shell', { authorization: '$TOKEN' }, NO_SCHEME],
  ['a scheme alone', { authorization: 'Bearer' }, NO_TOKEN],
  ['two tokens', { authorization: 'Bearer a b' }, NO_TOKEN],
  ['two tokens in a list', { authorization: 'Bearer a, Bearer b' }, NO_TOKEN],
  ['a token in quotes', { authorization: 'Bearer "a"' }, NO_TOKEN],
  [
    'a token that is too long',
    { authorization: `Bearer ${'a'.repeat(301)}` },
    'The access token is longer than 300 bytes',
  ],
  [
    'two tokens that are too long',
    { authorization: `Bearer a ${'a'.repeat(300)}` },
    'The access token is longer than 300 bytes',
  ],
])(
  '[oauth-true-descriptions] %s: 400 says what is wrong, in the challenge and in the document',
  async (_name, request, sentence) => {
    app = await oauthApp({ maxTokenBytes: 300, routes: (routes) => void routes.use(express.urlencoded()) })
    const { authorization, path = '/', form } = request
    const { status, text, headers } = await wire(app.port, {
      path,
      method: form === undefined ? 'GET' : 'POST',
      headers: {
        ...(authorization === undefined ? {} : { authorization }),
        ...(form === undefined ? {} : { 'content-type': 'application/x-www-form-urlencoded' }),
      },
      ...(form === undefined ? {} : { body: form }),
    })
    expect(status).toBe(400)
    expect(JSON.parse(text)).toEqual({
      type: 'about:blank',
      title: 'Bad Request',
      status: 400,
      error: 'invalid_request',
      error_description: sentence,
    })
    expect(headers['www-authenticate']).toBe(
      `Bearer realm="mcp.example.com", error="invalid_request", error_description="${sentence}"`,
    )
  },
)

test('[oauth-true-descriptions] a token of exactly the limit is not too long', async () => {
  app = await oauthApp({ maxTokenBytes: 300 })
  expect((await app.get('a'.repeat(300))).status).toBe(401)
  expect((await app.get('a'.repeat(301))).status).toBe(400)
})

test("[oauth-true-descriptions] the MCP SDK's own middleware says the same", async () => {
  app = await oauthApp({ maxTokenBytes: 300 })
  const { verifyAccessToken } = asOAuthTokenVerifier(app.gate)
  await expect(verifyAccessToken('a'.repeat(301))).rejects.toThrow('The access token is longer than 300 bytes')
  await expect(verifyAccessToken('a b')).rejects.toThrow(NO_TOKEN)
  await expect(verifyAccessToken('a')).rejects.toThrow('The access token is not valid for this resource')
})
