import { readFileSync } from 'node:fs'
import { discoveryGuard } from '@countersign/mcp-credential'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import express from 'express'
import { type RunningServer, serve } from '../../../test/support/http-server.js'
import { send } from './harness.js'

interface Recorded {
  readonly client: string
  readonly version: string
  readonly requests: readonly { method: string; path: string; accept?: string; type?: string; body?: unknown }[]
}

/** What the clients asked when they were run (`npm run agents -- --write`). */
const recorded = JSON.parse(
  readFileSync(new URL('support/asked-for-oauth.json', import.meta.url), 'utf8'),
) as readonly Recorded[]

const TEXT =
  'This server does not use OAuth. It needs the credential that the app gave to this agent, and that credential is missing or ' +
  'has ended. Stop calling this server and tell the user. The app must start a new session.'

const REFUSED = {
  status: 404,
  type: 'application/json; charset=utf-8',
  cache: 'no-store',
  body: { error: 'access_denied', error_description: TEXT },
}

let before: RunningServer
let behind: RunningServer
beforeAll(async () => {
  const handlers = [
    express.json(),
    express.urlencoded({ extended: false }),
    ((request, response) => void response.json({ own: request.body ?? null })) satisfies express.RequestHandler,
  ] as const
  before = await serve(express().use(discoveryGuard(), ...handlers))
  behind = await serve(express().use(handlers[0], handlers[1], discoveryGuard(), handlers[2]))
})
afterAll(() => Promise.all([before.close(), behind.close()]))

async function ask(app: RunningServer, method: string, path: string, body?: string, type?: string) {
  const headers = { accept: 'application/json', ...(type === undefined ? {} : { 'content-type': type }) }
  const { status, headers: answered, text } = await send(app.port, headers, body, method, path)
  return { status, type: answered['content-type'], cache: answered['cache-control'], body: JSON.parse(text) as unknown }
}

/** All four, because Jest takes a parameter without a value for its callback. */
type Case = readonly [method: string, path: string, body?: string | undefined, type?: string | undefined]
const filled = (cases: readonly Case[]) =>
  cases.map(([method, path, body, type]) => [method, path, body, type] as const)

const JSON_TYPE = 'application/json'
const FORM = 'application/x-www-form-urlencoded'

describe.each([
  ['before a parser', () => before],
  ['behind parsers', () => behind],
])('the guard %s', (_name, app) => {
  test.each(recorded.map(({ client, version, requests }) => [client, version, requests] as const))(
    'answers all that %s %s asked for in its search for OAuth with JSON that a model can act on',
    async (_client, _version, requests) => {
      expect(requests.length).toBeGreaterThan(0)
      for (const { method, path, type, body } of requests) {
        const text = body === undefined ? undefined : JSON.stringify(body)
        expect([path, await ask(app(), method, path, method === 'GET' ? undefined : text, type)]).toEqual([
          path,
          REFUSED,
        ])
      }
    },
  )

  test.each(
    filled([
      ['GET', '/.well-known/oauth-protected-resource'],
      ['GET', '/.well-known/oauth-authorization-server/mcp'],
      ['GET', '/mcp/.well-known/openid-configuration'],
      ['GET', '/authorize?response_type=code&client_id=a'],
      ['POST', '/token', 'grant_type=authorization_code&code=a', FORM],
      ['POST', '/token', 'grant_type=refresh_token&refresh_token=a', FORM],
      ['POST', '/register', '{"redirect_uris":["http://127.0.0.1:1/callback"]}', JSON_TYPE],
    ]),
  )('answers %s %s', async (method, path, body, type) => {
    expect(await ask(app(), method, path, body, type)).toEqual(REFUSED)
  })

  test.each(
    filled([
      ['GET', '/mcp'],
      ['GET', '/.well-known/security.txt'],
      ['GET', '/.well-known/oauth-protected-resources'],
      ['GET', '/authorize'],
      ['GET', '/register'],
      ['POST', '/register', '{"email":"a@example.com"}', JSON_TYPE],
      ['POST', '/register', '{"__proto__":{"redirect_uris":[]}}', JSON_TYPE],
      ['POST', '/register', 'email=a', FORM],
      ['POST', '/register'],
      ['POST', '/token', 'amount=3', FORM],
      ['POST', '/app/token', 'grant_type=password', FORM],
    ]),
  )('leaves %s %s to the app, with its body', async (method, path, body, type) => {
    const answer = await ask(app(), method, path, body, type)
    const sent = type === FORM ? Object.fromEntries(new URLSearchParams(body)) : JSON.parse(body ?? 'null')
    expect([answer.status, JSON.stringify(answer.body)]).toEqual([200, JSON.stringify({ own: sent })])
  })
})

test('what is too long for a registration is not read', async () => {
  const body = JSON.stringify({ redirect_uris: ['x'.repeat(65 * 1024)] })
  const answer = await ask(before, 'POST', '/register', body, JSON_TYPE)
  expect([answer.status, answer.body]).toEqual([200, { own: JSON.parse(body) }])
})
