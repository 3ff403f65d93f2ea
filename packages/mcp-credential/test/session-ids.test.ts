import { expect, test } from '@jest/globals'
import type { Request, RequestHandler } from 'express'
import { agent, mcpApp, send } from './harness.js'

/** Makes a session at `initialize`, in each of the ways that a server may write headers. */
const stateful =
  (
    write: 'setHeader' | 'object' | 'list',
    idOf = (request: Request) => `session-${request.principal?.id}`,
  ): RequestHandler =>
  (request, response) => {
    const id = idOf(request)
    if (request.body?.method === 'initialize' && write === 'setHeader') response.setHeader('Mcp-Session-Id', id)
    if (request.body?.method === 'initialize' && write === 'object') response.writeHead(200, { 'mcp-session-id': id })
    if (request.body?.method === 'initialize' && write === 'list') response.writeHead(200, ['Mcp-Session-Id', id])
    response.end('{}')
  }

test.each(['setHeader', 'object', 'list'] as const)(
  'an Mcp-Session-Id belongs to the thread it was made for, not to a token or a provider (%s)',
  async (write) => {
    const app = await mcpApp({ handler: stateful(write) })
    const initialize = { jsonrpc: '2.0', id: 1, method: 'initialize' }
    const ping = { jsonrpc: '2.0', id: 2, method: 'ping' }
    const owner = await app.credentials.issue(agent)
    const made = await send(app.port, { authorization: owner.authorizationHeader }, initialize)
    const session = String(made.headers['mcp-session-id'])
    const use = async (authorization: string) =>
      (await send(app.port, { authorization, 'mcp-session-id': session }, ping)).status
    const stranger = await app.credentials.issue({ ...agent, threadId: 't2' })
    const otherProvider = await app.credentials.issue({ ...agent, providerInstanceId: 'p2' })
    expect(await use(stranger.authorizationHeader)).toBe(404)
    expect(app.last()).toBe('session_mismatch')
    expect(await use(otherProvider.authorizationHeader)).toBe(200)
    expect(await use(owner.authorizationHeader)).toBe(200)
    const next = await app.credentials.issue(agent)
    expect(await use(owner.authorizationHeader)).toBe(401)
    expect(await use(next.authorizationHeader)).toBe(200)
    await app.close()
  },
)

test('[mcp-sessions-bound] a session that was not made for the caller is 404 for everybody, however it is named', async () => {
  const app = await mcpApp({ handler: stateful('setHeader', () => 'x') })
  const own = (await app.credentials.issue(agent)).authorizationHeader
  const other = (await app.credentials.issue({ ...agent, threadId: 't2' })).authorizationHeader
  const use = (authorization: string, session: string) => send(app.port, { authorization, 'mcp-session-id': session })
  const made = await send(app.port, { authorization: own }, { jsonrpc: '2.0', id: 1, method: 'initialize' })
  const sealed = String(made.headers['mcp-session-id'])
  expect(sealed).toMatch(/^x\.[\w-]{22}$/)
  const changed = sealed.slice(0, -1) + (sealed.endsWith('A') ? 'B' : 'A')
  for (const session of ['x', 'found', '__proto__', '.', sealed.slice(1), changed, `x${sealed}`, sealed.slice(0, -1)]) {
    for (const authorization of [own, other]) {
      const answer = await use(authorization, session)
      expect([session, answer.status, answer.headers['www-authenticate']]).toEqual([session, 404, undefined])
      expect(app.last()).toBe('session_mismatch')
    }
  }
  expect([(await use(own, sealed)).status, (await use(other, sealed)).status]).toEqual([200, 404])
  await app.close()
})

test('the handler sees the id that it made, in every place, whatever it is and however long', async () => {
  const seen: unknown[] = []
  for (const id of ['~!"$%&/()=?.', `${'x'.repeat(2000)}.y`]) {
    const app = await mcpApp({
      handler: (request, response) => {
        const { headers, headersDistinct, rawHeaders } = request
        const at = rawHeaders.findIndex((name) => name.toLowerCase() === 'mcp-session-id')
        seen.push(headers['mcp-session-id'], headersDistinct['mcp-session-id'], rawHeaders[at + 1])
        response.setHeader('Mcp-Session-Id', id)
        response.end('{}')
      },
    })
    const { authorizationHeader: authorization } = await app.credentials.issue(agent)
    const made = await send(app.port, { authorization }, { jsonrpc: '2.0', id: 1, method: 'initialize' })
    const session = String(made.headers['mcp-session-id'])
    seen.length = 0
    const next = await send(app.port, { authorization, 'mcp-session-id': session })
    expect(next.headers['mcp-session-id']).toBe(session)
    expect(seen).toEqual([id, [id], id])
    await app.close()
  }
})

test('[mcp-sessions-bound] a request that names two sessions is refused, whichever of them is its own', async () => {
  const app = await mcpApp({ handler: stateful('setHeader') })
  const make = async (threadId: string) => {
    const { authorizationHeader: authorization } = await app.credentials.issue({ ...agent, threadId })
    const made = await send(app.port, { authorization }, { jsonrpc: '2.0', id: 1, method: 'initialize' })
    return { authorization, session: String(made.headers['mcp-session-id']) }
  }
  const [own, victim] = [await make('t1'), await make('t2')]
  for (const sessions of [
    [own.session, victim.session],
    [victim.session, own.session],
    [own.session, own.session],
  ]) {
    const headers = { authorization: own.authorization, 'mcp-session-id': sessions as never }
    expect((await send(app.port, headers)).status).toBe(404)
    expect(app.last()).toBe('session_mismatch')
  }
  await app.close()
})
