import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { cpuMs } from '../../../test/support/cpu-time.js'
import { agent, type Harness, mcpApp, send, toolCall } from './harness.js'

let app: Harness
let headers: Record<string, string>
beforeAll(async () => {
  app = await mcpApp({
    tools: { 'preview_*': 'preview', preview_delete: ['admin', 'audit'], '*_export': 'export', free: [] },
  })
  headers = { authorization: (await app.credentials.issue(agent)).authorizationHeader }
})
afterAll(() => app.close())

const status = async (body: unknown, extra: Record<string, string> = {}) =>
  (await send(app.port, { ...headers, ...extra }, body)).status

test('[mcp-tools] a tool needs the capability of every pattern that matches it, and one that no pattern matches is refused', async () => {
  expect(await status(toolCall('preview_open'))).toBe(200)
  expect(await status(toolCall('free'))).toBe(200)
  const refused = await send(app.port, headers, toolCall('preview_delete'))
  expect([refused.status, app.last()]).toEqual([403, 'insufficient_scope'])
  expect(refused.headers['www-authenticate']).toBe(
    'Bearer error="insufficient_scope", error_description="This session may not use that tool. Continue without it.", scope="preview admin audit"',
  )
  expect(JSON.parse(refused.text)).toMatchObject({ error: 'insufficient_scope', scope: 'preview admin audit' })
  expect(app.events.at(-1)?.attributes).toEqual({
    why: 'tool',
    tool: 'preview_delete',
    scopes_held: 'preview',
    scopes_needed: 'preview admin audit',
  })
  expect(await status(toolCall('preview_export'))).toBe(403)
  const unmatched = await send(app.port, headers, toolCall('shell'))
  expect(unmatched.status).toBe(403)
  expect(unmatched.text).not.toContain('scope":')
  expect(app.events.at(-1)?.attributes).toEqual({ why: 'no_pattern', tool: 'shell' })
})

test('[mcp-prototype-names] tools named like members of Object.prototype match only what names them', async () => {
  for (const name of ['__proto__', 'constructor', 'toString', 'hasOwnProperty']) {
    expect(await status(toolCall(name))).toBe(403)
  }
  const raw = '{"jsonrpc":"2.0","id":1,"__proto__":{"method":"ping"},"method":"tools/call","params":{"name":"shell"}}'
  expect(await status(raw)).toBe(403)
})

test('[mcp-batch] each element of a batch is checked', async () => {
  const open = toolCall('preview_open')
  expect(await status([open, open])).toBe(200)
  expect(await status([open, toolCall('shell', 2)])).toBe(403)
  expect(await status([toolCall('preview_delete', 2), open])).toBe(403)
  expect(await status([open, null])).toBe(400)
  expect(await status([open, [toolCall('shell')]])).toBe(400)
  expect(await status([])).toBe(200)
})

test('handshake methods, notifications and answers are never refused for a capability', async () => {
  const nothing = await app.credentials.issue({ threadId: 't2', providerInstanceId: 'p1' })
  const own = { authorization: nothing.authorizationHeader }
  for (const method of [
    'initialize',
    'notifications/initialized',
    'ping',
    'tools/list',
    'prompts/list',
    'server/discover',
  ]) {
    expect((await send(app.port, own, { jsonrpc: '2.0', id: 1, method })).status).toBe(200)
  }
  expect((await send(app.port, own, { jsonrpc: '2.0', id: 1, result: {} })).status).toBe(200)
  expect((await send(app.port, own, { jsonrpc: '2.0', id: 1, error: { code: 1, message: '' } })).status).toBe(200)
  expect((await send(app.port, own, toolCall('preview_open'))).status).toBe(403)
  expect((await send(app.port, own)).status).toBe(200)
  expect((await send(app.port, own, undefined, 'DELETE')).status).toBe(200)
})

test('Mcp-Method and Mcp-Name must say what the body says', async () => {
  const open = toolCall('preview_open')
  expect(await status(open, { 'mcp-method': 'tools/call', 'mcp-name': 'preview_open' })).toBe(200)
  expect(await status(open, { 'mcp-method': 'tools/list' })).toBe(400)
  expect([app.last(), app.events.at(-1)?.attributes]).toEqual(['header_mismatch', { why: 'mcp_method' }])
  expect(await status(open, { 'mcp-name': 'preview_close' })).toBe(400)
  expect([app.last(), app.events.at(-1)?.attributes]).toEqual(['header_mismatch', { why: 'mcp_name' }])
  expect(await status([open, { jsonrpc: '2.0', id: 2, method: 'ping' }], { 'mcp-method': 'tools/call' })).toBe(400)
  const encoded = `=?base64?${Buffer.from('preview_öffnen').toString('base64')}?=`
  expect(await status(toolCall('preview_öffnen'), { 'mcp-name': encoded })).toBe(200)
  expect(await status(toolCall('preview_open'), { 'mcp-name': encoded })).toBe(400)
  const shouted = `=?BASE64?${Buffer.from('preview_open').toString('base64')}?=`
  expect(await status(open, { 'mcp-name': shouted })).toBe(400)
  const prompt = { jsonrpc: '2.0', id: 1, method: 'prompts/get', params: { name: 'a' } }
  expect(await status(prompt, { 'mcp-name': 'b' })).toBe(400)
  // What only holds an encoded name is a name of its own, for a proxy too.
  const within = `=?base64?${Buffer.from('preview_open').toString('base64')}?=`
  expect(await status(open, { 'mcp-name': within })).toBe(200)
  for (const name of [`x${within}`, `${within}x`]) expect(await status(open, { 'mcp-name': name })).toBe(400)
  expect(await status(prompt, { 'mcp-name': 'a' })).toBe(200)
  const resource = { jsonrpc: '2.0', id: 1, method: 'resources/read', params: { uri: 'file:///a' } }
  expect(await status(resource, { 'mcp-name': 'file:///a' })).toBe(200)
  expect(await status(resource, { 'mcp-name': 'file:///b' })).toBe(400)
  // A method that names nothing has nothing to agree with.
  expect(await status({ jsonrpc: '2.0', id: 1, method: 'ping' }, { 'mcp-name': 'a' })).toBe(200)
})

test('a request whose header fields contradict it gets the JSON-RPC error HeaderMismatch with status 400', async () => {
  const { status, headers: sent, text } = await send(app.port, { ...headers, 'mcp-name': 'b' }, toolCall('a', 7))
  expect([status, sent['content-type'], sent['www-authenticate']]).toEqual([
    400,
    'application/json; charset=utf-8',
    undefined,
  ])
  expect(JSON.parse(text)).toEqual({
    jsonrpc: '2.0',
    id: 7,
    error: {
      code: -32020,
      message: 'Mcp-Method and Mcp-Name must match the body',
      data: { error: 'invalid_request' },
    },
  })
  const notification = { jsonrpc: '2.0', method: 'notifications/initialized' }
  const refused = await send(app.port, { ...headers, 'mcp-method': 'ping' }, notification)
  expect([refused.status, JSON.parse(refused.text).error]).toEqual([400, 'invalid_request'])
})

test('a name that is not a string, and a body that is not JSON-RPC, are 400', async () => {
  for (const name of [undefined, 1, null, ['preview_open'], { toString: 'preview_open' }]) {
    expect(await status(toolCall(name))).toBe(400)
  }
  expect(await status({ jsonrpc: '2.0', id: 1, method: 'tools/call' })).toBe(400)
  for (const method of [undefined, null, ['tools/call'], { toString: 'tools/call' }]) {
    expect(await status({ ...toolCall('preview_open'), method })).toBe(400)
  }
  expect(await status([toolCall('preview_open'), {}])).toBe(400)
  expect(await status({})).toBe(400)
  expect(app.last()).toBe('malformed_body')
})

test('[mcp-token-nowhere] an agent that sends its credential for the name of a tool does not get it into the audit', async () => {
  const token = (headers.authorization as string).slice('Bearer '.length)
  for (const name of [token, `preview-${token.toUpperCase()}`, `a ${token}`.slice(0, -6)]) {
    expect(await status(toolCall(name))).toBe(403)
    expect(app.events.at(-1)?.attributes).toEqual({ why: 'no_pattern' })
  }
  expect(await status(toolCall('mcps_tool'))).toBe(403)
  expect(app.events.at(-1)?.attributes).toEqual({ why: 'no_pattern', tool: 'mcps_tool' })
  const long = 'x'.repeat(43)
  expect(await status(toolCall(long))).toBe(403)
  expect(app.events.at(-1)?.attributes).toEqual({ why: 'no_pattern', tool: long })
})

test('long names that an agent makes up are not kept', async () => {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  const { filterTools } = app.gate
  collect()
  const before = process.memoryUsage().heapUsed
  for (let index = 0; index < 500; index += 1) filterTools([{ name: `${'x'.repeat(100_000)}${index}` }], [])
  collect()
  expect(process.memoryUsage().heapUsed - before).toBeLessThan(20_000_000)
})

test('without the tools option every tool may be called', async () => {
  const open = await mcpApp()
  const own = { authorization: (await open.credentials.issue(agent)).authorizationHeader }
  expect((await send(open.port, own, toolCall('shell'))).status).toBe(200)
  await open.close()
})

describe('denyAs: jsonrpc', () => {
  test('answers a refused tool as a JSON-RPC error that the model reads, and everything else over HTTP', async () => {
    const rpc = await mcpApp({ tools: { 'preview_*': 'preview' }, denyAs: 'jsonrpc' })
    const own = { authorization: (await rpc.credentials.issue({ ...agent, capabilities: [] })).authorizationHeader }
    const one = await send(rpc.port, own, toolCall('preview_open', 'call-7'))
    expect([one.status, one.headers['content-type']]).toEqual([200, 'application/json; charset=utf-8'])
    expect(JSON.parse(one.text)).toEqual({
      jsonrpc: '2.0',
      id: 'call-7',
      error: {
        code: -32003,
        message: 'This session may not use that tool. Continue without it.',
        data: { error: 'insufficient_scope', scope: 'preview' },
      },
    })
    const batch = await send(rpc.port, own, [toolCall('preview_open', 1), { jsonrpc: '2.0', method: 'ping', id: 2 }])
    expect(JSON.parse(batch.text).map(({ id }: { id: number }) => id)).toEqual([1, 2])
    const notified = await send(rpc.port, own, { ...toolCall('preview_open'), id: undefined })
    expect(notified.status).toBe(403)
    expect((await send(rpc.port, {}, toolCall('preview_open'))).status).toBe(401)
    expect(rpc.events.filter(({ reason }) => reason === 'insufficient_scope')).toHaveLength(3)
    await rpc.close()
  })
})

test('filterTools keeps what the holder may call', () => {
  const tools = ['preview_open', 'preview_delete', 'free', 'shell', '__proto__'].map((name) => ({ name }))
  expect(app.gate.filterTools(tools, ['preview']).map(({ name }) => name)).toEqual(['preview_open', 'free'])
  expect(app.gate.filterTools(tools, ['preview', 'admin', 'audit']).map(({ name }) => name)).toEqual([
    'preview_open',
    'preview_delete',
    'free',
  ])
})

test('patterns are matched in linear time, and stars stand for any text', async () => {
  const wild = await mcpApp({ tools: { '**a**a**a**a**b': 'x', 'a.c': 'y' } })
  const filter = () => expect(wild.gate.filterTools([{ name: 'a'.repeat(5000) }], [])).toEqual([])
  expect(cpuMs(filter)).toBeLessThan(2000)
  const matched = ['b', 'aaaab', 'xaxaxaxab', 'aaab', 'aaaabc'].map((name) => ({ name }))
  expect(wild.gate.filterTools(matched, ['x']).map(({ name }) => name)).toEqual(['aaaab', 'xaxaxaxab'])
  expect(wild.gate.filterTools([{ name: 'abc' }], ['y'])).toEqual([])
  const overlapping = await mcpApp({ tools: { 'ab*ba': [] } })
  const names = ['aba', 'abba', 'abxba'].map((name) => ({ name }))
  expect(overlapping.gate.filterTools(names, []).map(({ name }) => name)).toEqual(['abba', 'abxba'])
  await overlapping.close()
  await wild.close()
})
