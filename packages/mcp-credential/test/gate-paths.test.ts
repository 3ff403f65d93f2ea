import { UnavailableError } from '@countersign/core'
import type { McpCredentialStore } from '@countersign/mcp-credential/store'
import { expect, test } from '@jest/globals'
import express, { type ErrorRequestHandler, type RequestHandler } from 'express'
import { type RunningServer, serve } from '../../../test/support/http-server.js'
import { agent, type Harness, mcpApp, send, toolCall, withOtherSecret } from './harness.js'

const INITIALIZE = { jsonrpc: '2.0', id: 1, method: 'initialize' }
const call = toolCall('preview_open')

/** An app on the registry of another one, whose last handlers note how they find the request. */
async function noting(...handlers: RequestHandler[]): Promise<RunningServer & { readonly found: unknown[][] }> {
  const found: unknown[][] = []
  const app = express()
  app.use(...handlers)
  app.use(async (request, response) => {
    found.push([request.readableDidRead, (request as { auth?: unknown }).auth])
    response.end(String(Buffer.concat(await request.toArray())))
  })
  app.use(((_error, request, response, next) => {
    if (response.headersSent) return next()
    found.push([request.readableDidRead, (request as { auth?: unknown }).auth])
    request.toArray().then((chunks) => response.status(418).end(String(Buffer.concat(chunks))), next)
  }) satisfies ErrorRequestHandler)
  return Object.assign(await serve(app), { found })
}

test('of a refused request that is passed on the body is nobody’s but the next handler’s', async () => {
  for (const deadAs of ['http', 'jsonrpc'] as const) {
    const app = await mcpApp({ before: [], deadAs, onDenied: 'next' })
    const { found, port, close } = await noting(app.gate)
    const issued = await app.credentials.issue(agent)
    const unproven = await send(port, { authorization: `Bearer ${withOtherSecret(issued.token)}` }, call)
    const granted = await send(port, { authorization: issued.authorizationHeader }, call)
    await issued.revoke()
    const ended = await send(port, { authorization: issued.authorizationHeader }, call)
    expect([unproven, granted, ended].map(({ status, text }) => [status, text])).toEqual([
      [418, JSON.stringify(call)],
      [200, JSON.stringify(call)],
      [418, JSON.stringify(call)],
    ])
    // The ids of its messages are read of one that has ended, where the answer needs them.
    expect(found.map(([didRead]) => didRead)).toEqual([false, false, deadAs === 'jsonrpc'])
    await close()
    await app.close()
  }
})

test('what another gate has put on req.auth stays where nothing is presented, and is replaced where something is', async () => {
  const app = await mcpApp({ before: [] })
  const own: RequestHandler = (request, _response, next) => {
    Object.assign(request, { auth: 'another' })
    next()
  }
  const { found, port, close } = await noting(own, app.gate.optional())
  const { authorizationHeader, credentialId } = await app.credentials.issue(agent)
  await send(port)
  await send(port, { authorization: authorizationHeader })
  expect(found.map(([, auth]) => auth)).toEqual(['another', expect.objectContaining({ token: credentialId })])
  await close()
  await app.close()
})

test('behind optional() a session of a thread is not for callers without a credential, nor theirs for a thread', async () => {
  const app = await mcpApp()
  const makes: RequestHandler = (_request, response) => void response.setHeader('Mcp-Session-Id', 'made').json({})
  const { port, close } = await serve(express().use(express.json(), app.gate.optional(), makes))
  const { authorizationHeader: authorization } = await app.credentials.issue(agent)
  const sessionOf = async (headers: Record<string, string>) =>
    String((await send(port, headers, INITIALIZE)).headers['mcp-session-id'])
  const [own, anonymous] = [await sessionOf({ authorization }), await sessionOf({})]
  const statusOf = async (headers: Record<string, string>) => (await send(port, headers, call)).status
  expect(await statusOf({ authorization, 'mcp-session-id': own })).toBe(200)
  expect(await statusOf({ 'mcp-session-id': anonymous })).toBe(200)
  expect([await statusOf({ 'mcp-session-id': own }), app.last()]).toEqual([404, 'session_mismatch'])
  expect(await statusOf({ authorization, 'mcp-session-id': anonymous })).toBe(404)
  const { principal, reason } = app.events.at(-1) ?? {}
  expect([reason, principal?.kind]).toEqual(['session_mismatch', 'mcp-credential'])
  await close()
  await app.close()
})

test('without bindSessions a caller without a credential may name any session', async () => {
  const app = await mcpApp({ bindSessions: false })
  const { port, close } = await serve(express().use(app.gate.optional(), (_request, response) => response.end()))
  expect((await send(port, { 'mcp-session-id': 'x' }, call)).status).toBe(200)
  await close()
  await app.close()
})

test('the first call of an agent is decided by a store that has come back', async () => {
  let asked = 0
  const wrapStore = (store: McpCredentialStore): McpCredentialStore => ({
    ...store,
    resolve(...args) {
      asked += 1
      if (asked === 1) throw new UnavailableError('credential_store', 'down')
      return store.resolve(...args)
    },
  })
  const app = await mcpApp({ wrapStore })
  const { authorizationHeader: authorization } = await app.credentials.issue(agent)
  expect([(await send(app.port, { authorization }, INITIALIZE)).status, asked]).toEqual([200, 2])
  await app.close()
})

/** An app whose handler streams, and how often its store was asked to tell of what ends elsewhere. */
async function streaming(): Promise<Harness & { readonly listened: () => number }> {
  let listened = 0
  const wrapStore = (store: McpCredentialStore): McpCredentialStore => ({
    ...store,
    onEnded: () => {
      listened += 1
      return () => undefined
    },
  })
  const app = await mcpApp({ wrapStore, handler: (_request, response) => void response.write('data: 0\n\n') })
  return { ...app, listened: () => listened }
}

test('only the answer to a credential that was granted is watched, and its end is reported to the gate’s audit', async () => {
  const app = await streaming()
  const issued = await app.credentials.issue(agent)
  await send(app.port, { authorization: `Bearer ${withOtherSecret(issued.token)}` })
  expect(app.listened()).toBe(0)
  const stream = send(app.port, { authorization: issued.authorizationHeader }).catch(() => undefined)
  while (app.last() !== 'granted') await new Promise((resolve) => setTimeout(resolve, 5))
  expect(app.listened()).toBe(1)
  await issued.revoke()
  await stream
  const ended = () => app.events.filter(({ type }) => type === 'connection.ended')
  while (ended().length === 0) await new Promise((resolve) => setTimeout(resolve, 5))
  expect(ended()).toMatchObject([{ credential: { id: issued.credentialId } }])
  await app.close()
})
