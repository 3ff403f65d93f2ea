import { EventEmitter } from 'node:events'
import { IncomingMessage, ServerResponse } from 'node:http'
import { memorySecrets, requireHmac, sign } from '@countersign/hmac'
import { createMcpCredentials, type McpCredentials, requireMcpCredential } from '@countersign/mcp-credential'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, jest, test } from '@jest/globals'
import express, { type Express, type Request } from 'express'
import inject, { type Response } from 'light-my-request'
import { recordedAudit } from '../support/audit-recorder.js'
import { expressOn } from '../support/express-on.js'
import { serve } from '../support/http-server.js'

const SECRET = 'a-secret-of-the-tests-that-is-long-enough'
const BODY = '{"jsonrpc":"2.0","method":"ping"}'
const PROBLEM = { type: 'about:blank', title: 'Internal Server Error', status: 500 }

let credentials: McpCredentials
let own: Record<'/hmac' | '/mcp', Record<string, string>>
const { audit, events, clear } = recordedAudit()
beforeAll(async () => {
  credentials = createMcpCredentials({ audit })
  const issued = await credentials.issue({ threadId: 't1', providerInstanceId: 'p1', capabilities: ['preview'] })
  const signer = { caller: 'scheduler', version: 1, secret: SECRET, audience: 'app.example.com' }
  own = {
    '/hmac': sign({ method: 'POST', url: '/hmac', headers: {}, body: Buffer.from(BODY) }, signer),
    '/mcp': { authorization: issued.authorizationHeader },
  }
})
afterAll(() => credentials.close())
beforeEach(clear)
afterEach(() => {
  jest.useRealTimers()
})

/** The two gates that read bodies. */
function withGates(app: Express): Express {
  const secrets = memorySecrets([{ caller: 'scheduler', version: 1, secret: SECRET }])
  return app
    .use('/hmac', requireHmac({ secrets, audience: 'app.example.com', audit }))
    .use('/mcp', requireMcpCredential({ credentials, tools: { 'preview_*': 'preview' }, audit }))
    .use((_request, response) => response.json({ handled: true }))
}

describe.each(['/hmac', '/mcp'] as const)('a request that an adapter built, for %s', (path) => {
  test('whose body does not end is 500 with a code when nothing has come for 30 s', async () => {
    const others = ['setImmediate', 'nextTick', 'queueMicrotask', 'Date', 'hrtime', 'performance'] as const
    jest.useFakeTimers({ doNotFake: [...others] })
    const app = withGates(expressOn(IncomingMessage.prototype, ServerResponse.prototype))
    const answer = inject(app as never, {
      method: 'POST',
      url: path,
      headers: own[path],
      payload: BODY,
      simulate: { end: false } as never,
    })
    while (jest.getTimerCount() === 0) await new Promise(setImmediate)
    // Its bytes have come by now.
    for (let turn = 0; turn < 10; turn += 1) await new Promise(setImmediate)
    jest.advanceTimersByTime(29_999)
    expect(events).toEqual([])
    jest.advanceTimersByTime(1)
    const { statusCode, payload } = (await answer) as Response
    expect([statusCode, JSON.parse(payload)]).toEqual([500, PROBLEM])
    expect(events.map(({ reason, attributes }) => [reason, attributes?.code])).toEqual([
      ['internal_error', 'ERR_COUNTERSIGN_BODY_END_UNKNOWN'],
    ])
    expect(jest.getTimerCount()).toBe(0)
  })

  test('that is no stream of Node is 500 with a code', async () => {
    const gates = withGates(express())
    const running = await serve((request, response) => {
      const { method, url, headers, rawHeaders, socket } = request
      const built = Object.assign(new EventEmitter(), {
        method,
        url,
        headers,
        rawHeaders,
        socket: { ...socket },
        readableLength: 0,
      })
      gates(built as unknown as Request, response as never)
    })
    const answer = await fetch(`${running.url}${path}`, { method: 'POST', headers: own[path], body: Buffer.from(BODY) })
    expect([answer.status, await answer.json()]).toEqual([500, PROBLEM])
    expect(events.map(({ reason, attributes }) => [reason, attributes?.code])).toEqual([
      ['internal_error', 'ERR_COUNTERSIGN_BODY_END_UNKNOWN'],
    ])
    await running.close()
  })
})
