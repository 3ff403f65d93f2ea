import { request as httpRequest } from 'node:http'
import { UnavailableError } from '@countersign/core'
import { createMcpCredentials, requireMcpCredential } from '@countersign/mcp-credential'
import { redisCredentials } from '@countersign/mcp-credential/redis'
import type { McpCredentialStore } from '@countersign/mcp-credential/store'
import { expect, test } from '@jest/globals'
import express from 'express'
import { Redis } from 'ioredis'
import { recordedAudit } from '../../../test/support/audit-recorder.js'
import { serve } from '../../../test/support/http-server.js'
import { RedisServer } from '../../../test/support/redis-server.js'
import { agent, type HarnessOptions, mcpApp, send, toolCall } from './harness.js'

const rpc = (method: string) => ({ jsonrpc: '2.0', id: 1, method })

/** An app whose store can be switched off. */
async function switchable(options: HarnessOptions = {}) {
  const store = { isDown: false, asked: 0 }
  const wrapStore = (inner: McpCredentialStore): McpCredentialStore => ({
    ...inner,
    resolve(...args) {
      store.asked += 1
      if (store.isDown) throw new UnavailableError('credential_store', 'switched off')
      return inner.resolve(...args)
    },
  })
  const app = await mcpApp({ before: [], wrapStore, ...options })
  const issued = await app.credentials.issue(agent)
  const headers = { authorization: issued.authorizationHeader }
  return { ...app, store, issued, headers }
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 10))
}

test.each([
  ['before a parser', { before: [] }],
  ['behind a parser', { before: [express.json()] }],
  ['with tools', { before: [], tools: { '*': [] } }],
])('the first calls of an agent wait for a store that comes back, %s', async (_name, options) => {
  const app = await switchable(options)
  app.store.isDown = true
  const answers = ['initialize', 'server/discover', 'tools/list'].map((method) =>
    send(app.port, app.headers, rpc(method)),
  )
  await until(() => app.store.asked >= 9)
  app.store.isDown = false
  expect((await Promise.all(answers)).map(({ status }) => status)).toEqual([200, 200, 200])
  // One decision for each, and not one for each time that the store was asked.
  const decisions = app.events.filter(({ type }) => type.startsWith('access.')).map(({ type }) => type)
  expect(decisions).toEqual(['access.granted', 'access.granted', 'access.granted'])
  await app.close()
})

test('they wait for 3 s at most', async () => {
  const app = await switchable()
  app.store.isDown = true
  const began = performance.now()
  const { status, headers, text } = await send(app.port, app.headers, rpc('initialize'))
  const took = performance.now() - began
  expect([status, headers['retry-after'], JSON.parse(text).detail]).toEqual([
    503,
    '1',
    expect.stringContaining('Wait and retry'),
  ])
  expect(took).toBeGreaterThan(2900)
  expect(app.events.filter(({ type }) => type === 'access.unavailable')).toHaveLength(1)
  await app.close()
})

test('anything else is answered at once: it asks the store one time', async () => {
  const app = await switchable()
  app.store.isDown = true
  const big = { ...rpc('initialize'), params: { text: 'x'.repeat(65 * 1024) } }
  const bodies = [
    toolCall('preview_open'),
    rpc('ping'),
    [rpc('initialize'), toolCall('preview_open')],
    big,
    '{"method":',
    undefined,
  ]
  for (const body of bodies) {
    app.store.asked = 0
    const { status } = await send(app.port, app.headers, body)
    expect([status, app.store.asked]).toEqual([503, 1])
  }
  // Without a declared length, nothing of the body is read.
  app.store.asked = 0
  const chunked = await new Promise<number | undefined>((resolve) => {
    const sent = httpRequest(
      { port: app.port, method: 'POST', headers: { ...app.headers, 'content-type': 'application/json' } },
      (response) => {
        response.resume()
        resolve(response.statusCode)
      },
    )
    sent.write(JSON.stringify(rpc('initialize')))
    sent.end()
  })
  expect([chunked, app.store.asked]).toEqual([503, 1])
  await app.close()
})

test('a token that fails its checksum, or lacks the prefix, never waits', async () => {
  const app = await switchable()
  app.store.isDown = true
  for (const token of [`${app.issued.token.slice(0, -1)}_`, app.issued.token.replace('mcps_', 'other_')]) {
    const { status } = await send(app.port, { authorization: `Bearer ${token}` }, rpc('initialize'))
    expect([status, app.store.asked]).toEqual([401, 0])
  }
  await app.close()
})

test('64 wait, the next one is answered at once, and room is made by those that end', async () => {
  const app = await switchable()
  app.store.isDown = true
  const waiting = Array.from({ length: 64 }, () => send(app.port, app.headers, rpc('initialize')))
  await until(() => app.store.asked >= 2 * 64)
  const before = app.events.length
  expect((await send(app.port, app.headers, rpc('initialize'))).status).toBe(503)
  // None of the others has ended meanwhile.
  expect(app.events.length - before).toBe(1)
  app.store.isDown = false
  expect((await Promise.all(waiting)).every(({ status }) => status === 200)).toBe(true)
  app.store.isDown = true
  app.store.asked = 0
  const again = send(app.port, app.headers, rpc('initialize'))
  await until(() => app.store.asked >= 2)
  app.store.isDown = false
  expect((await again).status).toBe(200)
  await app.close()
})

test('a client that goes away, or never sends its body, holds no place', async () => {
  const app = await switchable()
  app.store.isDown = true
  const headers = { ...app.headers, 'content-type': 'application/json', 'content-length': '100' }
  const open = () => {
    const sent = httpRequest({ port: app.port, method: 'POST', headers }, (response) => response.resume())
    sent.on('error', () => undefined)
    sent.write('{')
    return sent
  }
  const silent = Array.from({ length: 64 }, open)
  await until(() => app.store.asked >= 64)
  expect((await send(app.port, app.headers, rpc('initialize'))).status).toBe(503)
  for (const sent of silent) sent.destroy()
  const isServed = async () => {
    app.store.asked = 0
    const { status } = await send(app.port, app.headers, rpc('initialize'))
    return status === 503 && app.store.asked > 1
  }
  while (!(await isServed())) await new Promise((resolve) => setTimeout(resolve, 10))
  await app.close()
})

test('a real Redis that stands still for a while refuses no agent that starts', async () => {
  const server = await RedisServer.start('--appendonly', 'yes')
  const redis = new Redis(server.url, { commandTimeout: 1000, socketTimeout: 5000 })
  redis.on('error', () => undefined)
  const { audit } = recordedAudit()
  const credentials = createMcpCredentials({ store: redisCredentials(redis, { commandTimeoutMs: 200 }), audit })
  const app = express()
  app.post('/', requireMcpCredential({ credentials, audit }), express.json(), (request, response) => {
    response.json({ method: request.body.method })
  })
  const running = await serve(app)
  try {
    const { authorizationHeader } = await credentials.issue(agent)
    server.pause()
    const first = send(running.port, { authorization: authorizationHeader }, rpc('initialize'))
    const call = await send(running.port, { authorization: authorizationHeader }, toolCall('preview_open'))
    expect(call.status).toBe(503)
    server.resume()
    const answer = await first
    expect([answer.status, JSON.parse(answer.text)]).toEqual([200, { method: 'initialize' }])
  } finally {
    server.resume()
    await running.close()
    await credentials.close()
    redis.disconnect()
    await server.stop()
  }
})
