import { randomUUID } from 'node:crypto'
import { UnavailableError } from '@countersign/core'
import { createMcpCredentials, type McpCredentials, requireMcpCredential } from '@countersign/mcp-credential'
import { redisCredentials } from '@countersign/mcp-credential/redis'
import type { McpCredentialStore } from '@countersign/mcp-credential/store'
import { expect, test } from '@jest/globals'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js'
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js'
import { isInitializeRequest } from '@modelcontextprotocol/sdk/types.js'
import express, { type RequestHandler } from 'express'
import { Redis } from 'ioredis'
import { recordedAudit } from '../../../test/support/audit-recorder.js'
import { serve } from '../../../test/support/http-server.js'
import { RedisServer } from '../../../test/support/redis-server.js'
import { agent, mcpApp, send } from './harness.js'

const { audit, events } = recordedAudit()
const PING = { jsonrpc: '2.0', id: 9, method: 'ping' }
const ACCEPT = { accept: 'application/json, text/event-stream' }

/** The stateful example of the SDK: sessions in a map, one gate for POST, and another one for GET and DELETE. */
function exampleApp(credentials: McpCredentials) {
  const transports = new Map<string, StreamableHTTPServerTransport>()
  const app = express()
  const [gate, otherGate] = [requireMcpCredential({ credentials, audit }), requireMcpCredential({ credentials, audit })]
  const known: RequestHandler = async (request, response) => {
    const transport = transports.get(String(request.headers['mcp-session-id']))
    if (transport === undefined) response.status(400).send('Invalid or missing session ID')
    else await transport.handleRequest(request, response)
  }
  app.post('/', gate, express.json(), async (request, response) => {
    const id = request.headers['mcp-session-id']
    let transport = typeof id === 'string' ? transports.get(id) : undefined
    if (transport === undefined && isInitializeRequest(request.body)) {
      const made = new StreamableHTTPServerTransport({
        sessionIdGenerator: () => randomUUID(),
        onsessioninitialized: (session) => void transports.set(session, made),
      })
      transport = made
      const server = new McpServer({ name: 'example', version: '1.0.0' })
      server.registerTool('who', {}, ({ authInfo }) => ({
        content: [{ type: 'text', text: String(authInfo?.extra?.threadId) }],
      }))
      await server.connect(made as Parameters<typeof server.connect>[0])
    }
    if (transport === undefined) response.status(400).send('No valid session')
    else await transport.handleRequest(request, response, request.body)
  })
  app.get('/', otherGate, known)
  app.delete('/', otherGate, known)
  return serve(app)
}

test('[mcp-real-clients] with one gate for POST and one for GET and DELETE a session is its thread’s alone', async () => {
  const credentials = createMcpCredentials({ audit })
  const server = await exampleApp(credentials)
  const owner = (await credentials.issue(agent)).authorizationHeader
  const stranger = (await credentials.issue({ ...agent, threadId: 't2' })).authorizationHeader
  const client = new Client({ name: 'agent', version: '1.0.0' })
  const transport = new StreamableHTTPClientTransport(new URL(server.url), {
    requestInit: { headers: { Authorization: owner } },
  })
  await client.connect(transport as Parameters<typeof client.connect>[0])
  const who = async () => ((await client.callTool({ name: 'who' })).content as { text: string }[])[0]?.text
  expect(await who()).toBe('t1')
  const session = { 'mcp-session-id': transport.sessionId as string, ...ACCEPT }
  events.length = 0
  for (const [method, body] of [['GET'], ['DELETE'], ['POST', PING]] as const) {
    const answer = await send(server.port, { authorization: stranger, ...session }, body, method)
    expect([method, answer.status]).toEqual([method, 404])
  }
  expect(events.map(({ reason }) => reason)).toEqual(Array(3).fill('session_mismatch'))
  expect(await who()).toBe('t1')
  // The same thread under a new instance of its provider.
  const next = (await credentials.issue({ ...agent, providerInstanceId: 'p2' })).authorizationHeader
  expect((await send(server.port, { authorization: next, ...session }, PING)).status).toBe(200)
  await transport.terminateSession()
  await client.close()
  await server.close()
  await credentials.close()
})

/** An app on a registry of its own, as another process has it. */
async function processOn(store: McpCredentialStore) {
  const app = await mcpApp({
    wrapStore: () => store,
    handler: (request, response) => {
      if (request.body?.method === 'initialize') response.setHeader('Mcp-Session-Id', randomUUID())
      response.end('{}')
    },
  })
  return {
    ...app,
    make: async (authorization: string) => {
      const made = await send(app.port, { authorization }, { jsonrpc: '2.0', id: 1, method: 'initialize' })
      return String(made.headers['mcp-session-id'])
    },
    use: async (authorization: string, session: string) =>
      (await send(app.port, { authorization, 'mcp-session-id': session }, PING)).status,
  }
}

test('[mcp-sessions-bound] a session that one process made is known to the others, and when their key is lost they agree again', async () => {
  const server = await RedisServer.start()
  const redis = new Redis(server.url)
  const store = () => redisCredentials(redis, { commandTimeoutMs: 10_000 })
  const [one, two] = [await processOn(store()), await processOn(store())]
  const owner = (await one.credentials.issue(agent)).authorizationHeader
  const stranger = (await two.credentials.issue({ ...agent, threadId: 't2' })).authorizationHeader
  const session = await one.make(owner)
  expect([await two.use(owner, session), await two.use(stranger, session)]).toEqual([200, 404])
  // Another namespace or prefix has sessions of its own.
  const elsewhere = await processOn(redisCredentials(redis, { commandTimeoutMs: 10_000, namespace: 'other' }))
  const same = (await elsewhere.credentials.issue(agent)).authorizationHeader
  expect(await elsewhere.use(same, session)).toBe(404)

  const [key = ''] = await redis.keys('{cs:*:session-key')
  expect(await redis.pttl(key)).toBeGreaterThan(0)
  await redis.del(key)
  const three = await processOn(store())
  const renewed = await three.make(owner)
  // Not at once: a process asks for the key again at most once a second.
  while ((await one.use(owner, renewed)) !== 200) await new Promise((resolve) => setTimeout(resolve, 50))
  expect([await one.use(stranger, renewed), await three.use(owner, session)]).toEqual([404, 404])
  for (const app of [one, two, three, elsewhere]) await app.close()
  redis.disconnect()
  await server.stop()
})

test('while the key of sessions cannot be had, what needs it is 503, and then goes on', async () => {
  let isDown = true
  const app = await mcpApp({
    wrapStore: (memory) => ({
      ...memory,
      resolve: memory.resolve,
      sessionKey: () => {
        if (isDown) return Promise.reject(new UnavailableError('credential_store', 'down'))
        return memory.sessionKey?.() as Buffer
      },
    }),
    handler: (_request, response) => void response.setHeader('Mcp-Session-Id', 'made').end('{}'),
  })
  const { authorizationHeader: authorization } = await app.credentials.issue(agent)
  const initialize = () => send(app.port, { authorization }, { jsonrpc: '2.0', id: 1, method: 'initialize' })
  expect([(await initialize()).status, (await send(app.port, { authorization }, PING)).status]).toEqual([503, 200])
  isDown = false
  const made = await initialize()
  const session = String(made.headers['mcp-session-id'])
  expect((await send(app.port, { authorization, 'mcp-session-id': session }, PING)).status).toBe(200)
  await app.close()
})

test('behind optional() callers without a credential have sessions of their own, and no thread’s', async () => {
  const credentials = createMcpCredentials({ audit })
  const app = express()
  app.use(express.json(), requireMcpCredential({ credentials, audit }).optional())
  app.use((_request, response) => void response.setHeader('Mcp-Session-Id', 'made').end('{}'))
  const { port, close } = await serve(app)
  const { authorizationHeader: authorization } = await credentials.issue(agent)
  const initialize = { jsonrpc: '2.0', id: 1, method: 'initialize' }
  const make = async (headers: Record<string, string>) =>
    String((await send(port, headers, initialize)).headers['mcp-session-id'])
  const use = async (session: string, headers: Record<string, string> = {}) =>
    (await send(port, { ...headers, 'mcp-session-id': session }, PING)).status
  const [thread, nobody] = [await make({ authorization }), await make({})]
  expect([await use(thread, { authorization }), await use(thread), await use('made')]).toEqual([200, 404, 404])
  expect([await use(nobody), await use(nobody, { authorization })]).toEqual([200, 404])
  await close()
})
