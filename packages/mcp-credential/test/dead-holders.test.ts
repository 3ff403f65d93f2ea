import { expect, test } from '@jest/globals'
import { agent, type Harness, mcpApp, send, toolCall, withOtherSecret } from './harness.js'

const call = toolCall('preview_open', 7)
const error = (message: string, id: unknown = 7) => ({
  jsonrpc: '2.0',
  id,
  error: { code: -32_004, message, data: { error: 'invalid_token' } },
})
const ASK = 'Stop calling this server and tell the user. The app must start a new session.'
const REVOKED = `The app has ended this session. ${ASK}`

async function revoked(app: Harness): Promise<string> {
  const issued = await app.credentials.issue(agent)
  await issued.revoke()
  return issued.authorizationHeader
}

test.each([
  ['before a parser, without tools', { before: [] }],
  ['before a parser, with tools', { before: [], tools: { '*': [] } }],
  ['behind a parser', {}],
])('a call of a proven credential that has ended gets its reason as a JSON-RPC error, %s', async (_name, options) => {
  const app = await mcpApp({ deadAs: 'jsonrpc', ...options })
  const endings: readonly [string, string, (id: string) => Promise<unknown> | unknown][] = [
    ['revoked', REVOKED, (id) => app.credentials.revoke(id)],
    [
      'superseded',
      'A newer credential has replaced this one. Use the newer one, or start a new session.',
      () => app.credentials.issue(agent),
    ],
    ['idle', `This session was idle for too long and has ended. ${ASK}`, () => app.pass(2_000_000)],
  ]
  for (const [reason, message, end] of endings) {
    const issued = await app.credentials.issue(agent)
    await end(issued.credentialId)
    const answer = await send(app.port, { authorization: issued.authorizationHeader }, call)
    expect([answer.status, answer.headers['content-type'], answer.headers['cache-control']]).toEqual([
      200,
      'application/json; charset=utf-8',
      'no-store',
    ])
    expect(JSON.parse(answer.text)).toEqual(error(message))
    expect(app.last()).toBe(reason)
  }
  await app.close()
})

test('a batch gets an error for each request, and what is no message gets 401', async () => {
  const app = await mcpApp({ deadAs: 'jsonrpc', before: [] })
  const authorization = await revoked(app)
  const batch = await send(app.port, { authorization }, [call, { jsonrpc: '2.0', method: 'x' }, toolCall('other', 'b')])
  expect(JSON.parse(batch.text)).toEqual([error(REVOKED), error(REVOKED, 'b')])
  for (const body of ['{', '[]', '{}']) {
    const answer = await send(app.port, { authorization }, body)
    expect([answer.status, answer.headers['content-type']]).toEqual([401, 'application/problem+json; charset=utf-8'])
    expect(answer.headers['www-authenticate']).toContain('error="invalid_token"')
  }
  await app.close()
})

test('a notification of one is taken and not run, and there is no stream for it: neither sends a client into OAuth', async () => {
  let isRun = false
  const app = await mcpApp({
    deadAs: 'jsonrpc',
    before: [],
    handler: (_request, response) => {
      isRun = true
      response.end()
    },
  })
  const authorization = await revoked(app)
  const notification = { jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 7 } }
  for (const body of [notification, [notification, notification]]) {
    const answer = await send(app.port, { authorization }, body)
    expect([answer.status, answer.text, answer.headers['www-authenticate']]).toEqual([202, '', undefined])
  }
  const stream = await send(app.port, { authorization, accept: 'text/event-stream' })
  expect([stream.status, stream.headers.allow, stream.headers['www-authenticate']]).toEqual([405, 'POST', undefined])
  expect(JSON.parse(stream.text)).toMatchObject({ status: 405, detail: REVOKED })
  expect([isRun, app.last()]).toEqual([false, 'revoked'])
  const issued = await app.credentials.issue(agent)
  const unproven = `Bearer ${withOtherSecret(issued.token)}`
  const stranger = [
    await send(app.port, { authorization: unproven }, notification),
    await send(app.port, { authorization: unproven }),
  ]
  expect(stranger.map(({ status }) => status)).toEqual([401, 401])
  await app.close()
})

test('an unproven credential never gets one, nor does an ended one by default', async () => {
  const app = await mcpApp({ deadAs: 'jsonrpc', before: [] })
  const issued = await app.credentials.issue(agent)
  await issued.revoke()
  const unproven = [
    withOtherSecret(issued.token),
    `${issued.token.slice(0, -1)}${issued.token.endsWith('a') ? 'b' : 'a'}`,
    'another-token',
    `\${MCP_CRED_APP}`,
  ]
  for (const token of unproven) {
    const answer = await send(app.port, { authorization: `Bearer ${token}` }, call)
    expect([answer.status, answer.text.includes('jsonrpc')]).toEqual([401, false])
  }
  await app.close()

  const plain = await mcpApp({ before: [] })
  expect((await send(plain.port, { authorization: await revoked(plain) }, call)).status).toBe(401)
  await plain.close()
})

test('a body beyond maxBodyBytes is answered over HTTP', async () => {
  const app = await mcpApp({ deadAs: 'jsonrpc', before: [], maxBodyBytes: 10 })
  expect((await send(app.port, { authorization: await revoked(app) }, call)).status).toBe(401)
  await app.close()
})
