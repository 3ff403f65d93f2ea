import type { IncomingMessage, ServerResponse } from 'node:http'
import { UnavailableError } from '@countersign/core'
import { afterEach, describe, expect, jest, test } from '@jest/globals'
import type { McpCredentials } from '../src/registry.js'
import { sessionBindingsOf } from '../src/sessions/session-bindings.js'

afterEach(() => {
  jest.restoreAllMocks()
})

type Registry = Pick<McpCredentials, 'prefix' | 'store'>
type SessionKey = () => Buffer | Promise<Buffer>

const KEY = Buffer.alloc(32, 7)
const registryWith = (sessionKey: SessionKey = () => KEY, prefix = 'mcps', namespace?: string) =>
  ({ prefix, store: { sessionKey, namespace } }) as unknown as Registry

const INITIALIZE = { jsonrpc: '2.0', id: 1, method: 'initialize' }

function requestWith(more: { method?: string; body?: unknown } = {}, ...ids: string[]) {
  const rawHeaders = ['Host', 'here', ...ids.flatMap((id) => ['Mcp-Session-Id', id])]
  const headers = ids[0] === undefined ? {} : { 'mcp-session-id': ids[0] }
  const headersDistinct = ids[0] === undefined ? {} : { 'mcp-session-id': [ids[0]] }
  return { method: 'POST', ...more, rawHeaders, headers, headersDistinct } as unknown as IncomingMessage
}

/** A response that notes what was written. */
function response() {
  const set: Record<string, unknown> = {}
  const written: unknown[][] = []
  const made = {
    set,
    written,
    getHeader: (name: string) => set[name],
    setHeader(name: string, value: unknown) {
      set[name] = value
    },
    writeHead(...args: unknown[]) {
      written.push(args)
      return made
    },
  }
  return made as typeof made & ServerResponse
}

/** The sealed id of a session that was made for an owner. */
function sealedFor(registry: Registry, owner: string | undefined, id = 'made') {
  const answer = response()
  expect(sessionBindingsOf(registry).admits(requestWith({ body: INITIALIZE }), answer, owner)).toBe(true)
  answer.setHeader('mcp-session-id', id)
  answer.writeHead(200)
  return String(answer.set['mcp-session-id'])
}

const admits = (registry: Registry, owner: string | undefined, ...ids: string[]) =>
  sessionBindingsOf(registry).admits(requestWith({}, ...ids), response(), owner)

describe('a session is used', () => {
  test('by its thread alone, in each process that has the key', () => {
    const registry = registryWith()
    const sealed = sealedFor(registry, 't1')
    expect([admits(registry, 't1', sealed), admits(registryWith(), 't1', sealed)]).toEqual([true, true])
    expect([admits(registry, 't2', sealed), admits(registry, undefined, sealed)]).toEqual([false, false])
  })

  test('by callers without a credential, when it was made for one, and by no thread, however it is called', () => {
    const registry = registryWith()
    const sealed = sealedFor(registry, undefined)
    expect(admits(registry, undefined, sealed)).toBe(true)
    for (const thread of ['null', '', 'undefined']) expect(admits(registry, thread, sealed)).toBe(false)
  })

  test('with tokens of its prefix, in its namespace', () => {
    const sealed = sealedFor(registryWith(), 't1')
    expect(admits(registryWith(undefined, 'other'), 't1', sealed)).toBe(false)
    expect(admits(registryWith(undefined, 'mcps', 'other'), 't1', sealed)).toBe(false)
    expect(admits(registryWith(undefined, 'mcps', ''), 't1', sealed)).toBe(true)
  })

  test('by its whole id', () => {
    const registry = registryWith()
    const sealed = sealedFor(registry, 't1')
    const bare = sealedFor(registry, 't1', '')
    const longer = `made.${'é'.repeat(22)}`
    for (const id of [
      'made',
      '',
      `x${sealed}`,
      `${sealed}x`,
      sealed.slice(0, -1),
      sealed.toUpperCase(),
      bare,
      longer,
    ]) {
      expect([id, admits(registry, 't1', id)]).toEqual([id, false])
    }
  })

  test('by its own thread in any request, one that can make no session too', () => {
    const registry = registryWith()
    const sealed = sealedFor(registry, 't1')
    for (const more of [{ method: 'GET' }, { method: 'DELETE' }, { body: { method: 'tools/call' } }]) {
      const of = (owner: string) => sessionBindingsOf(registry).admits(requestWith(more, sealed), response(), owner)
      expect([of('t1'), of('t2')]).toEqual([true, false])
    }
  })

  test('one at a time', () => {
    const registry = registryWith()
    const sealed = sealedFor(registry, 't1')
    expect(admits(registry, 't1', sealed, sealed)).toBe(false)
  })

  test('by the id that the handler made, in every place', () => {
    const registry = registryWith()
    const request = requestWith({}, sealedFor(registry, 't1', 'a.b'))
    expect(sessionBindingsOf(registry).admits(request, undefined, 't1')).toBe(true)
    expect([request.headers, request.rawHeaders, request.headersDistinct]).toEqual([
      { 'mcp-session-id': 'a.b' },
      ['Host', 'here', 'Mcp-Session-Id', 'a.b'],
      { 'mcp-session-id': ['a.b'] },
    ])
  })

  test.each<[string, object]>([
    ['has no headersDistinct', { headersDistinct: undefined }],
    ['has no raw lines', { rawHeaders: [], headersDistinct: {} }],
  ])('where the request of an adapter %s', (_what, own) => {
    const registry = registryWith()
    const request = Object.assign(requestWith({}, sealedFor(registry, 't1')), own)
    expect(sessionBindingsOf(registry).admits(request, undefined, 't1')).toBe(true)
    expect(request.headers).toEqual({ 'mcp-session-id': 'made' })
    expect(request).toMatchObject('rawHeaders' in own ? own : { headersDistinct: undefined })
  })

  test('through two gates of a registry, which seal one answer once, and by its owner alone', () => {
    const registry = registryWith()
    const sealed = sealedFor(registry, 't1')
    const request = requestWith({}, sealed)
    const sessions = sessionBindingsOf(registry)
    const answer = response()
    expect([sessions.admits(request, answer, 't1'), sessions.admits(request, answer, 't1')]).toEqual([true, true])
    expect([sessions.admits(request, answer, 't2'), sessions.admits(request, answer, undefined)]).toEqual([
      false,
      false,
    ])
    const first = requestWith({ body: INITIALIZE })
    expect([sessions.admits(first, answer, 't1'), sessions.admits(first, answer, 't1')]).toEqual([true, true])
    answer.setHeader('mcp-session-id', 'made')
    answer.writeHead(200)
    expect(answer.set['mcp-session-id']).toBe(sealed)
  })
})

describe('the answer that may make a session', () => {
  test.each<[string, { method?: string; body?: unknown }, boolean]>([
    ['initialize', { body: INITIALIZE }, true],
    ['a batch with initialize', { body: [{ method: 'ping' }, null, INITIALIZE] }, true],
    ['a body that nobody has parsed', {}, true],
    ['bytes', { body: Buffer.from('{}') }, true],
    ['a body that is null', { body: null }, true],
    ['a text', { body: '{}' }, true],
    ['another call', { body: { method: 'tools/call' } }, false],
    ['a batch of others', { body: [{ method: 'ping' }, null] }, false],
    ['a GET', { method: 'GET' }, false],
    ['a DELETE', { method: 'DELETE', body: INITIALIZE }, false],
  ])('to %s: %j', (_what, more, mayCreate) => {
    let asked = 0
    const registry = registryWith(() => {
      asked += 1
      return KEY
    })
    const answer = response()
    const { writeHead } = answer
    expect(sessionBindingsOf(registry).admits(requestWith(more), answer, 't1')).toBe(true)
    expect([answer.writeHead !== writeHead, asked]).toEqual([mayCreate, mayCreate ? 1 : 0])
  })

  test.each<[string, unknown[], (sealed: string) => unknown[]]>([
    ['an object', [200, { 'Mcp-Session-Id': 'made', x: '1' }], (id) => [200, { 'Mcp-Session-Id': id, x: '1' }]],
    [
      'a list',
      [200, 'OK', ['x', '1', 'MCP-SESSION-ID', 'made']],
      (id) => [200, 'OK', ['x', '1', 'MCP-SESSION-ID', id]],
    ],
    ['no field of it', [200, { x: 'mcp-session-id' }], () => [200, { x: 'mcp-session-id' }]],
    ['a list without it', [200, ['x', 'mcp-session-id', 'y', '1']], () => [200, ['x', 'mcp-session-id', 'y', '1']]],
    ['nothing', [204, undefined, null], () => [204, undefined, null]],
  ])('is sealed where it is written as %s', (_how, args, expected) => {
    const registry = registryWith()
    const answer = response()
    sessionBindingsOf(registry).admits(requestWith({ body: INITIALIZE }), answer, 't1')
    expect((answer.writeHead as (...args: unknown[]) => unknown)(...args)).toBe(answer)
    expect(answer.written).toEqual([expected(sealedFor(registry, 't1'))])
    expect(answer.set).toEqual({})
  })
})

describe('the key', () => {
  test('is asked for once, and shared by the gates of a registry', async () => {
    const sessionKey = jest.fn<SessionKey>(async () => KEY)
    const registry = registryWith(sessionKey)
    expect(sessionBindingsOf(registry)).toBe(sessionBindingsOf(registry))
    expect(await admits(registry, 't1', 'unsealed')).toBe(false)
    const sealed = sealedFor(registry, 't1')
    expect([admits(registry, 't1', sealed), admits(registry, 't2', sealed)]).toEqual([true, false])
    expect(sessionKey).toHaveBeenCalledTimes(1)
  })

  test('is the registry’s own where the store has none', () => {
    const [one, other] = [{}, undefined].map((store) => ({ prefix: 'mcps', store }) as unknown as Registry)
    const sealed = sealedFor(one as Registry, 't1')
    expect([admits(one as Registry, 't1', sealed), admits(other as Registry, 't1', sealed)]).toEqual([true, false])
  })

  test('is asked for again, once in a second, when a seal is not of it: another process may have another one', () => {
    let now = 10_000
    jest.spyOn(performance, 'now').mockImplementation(() => now)
    const keys = [KEY, Buffer.alloc(32, 8)]
    let asked = 0
    const registry = registryWith(() => keys[Math.min(asked++, 1)] as Buffer)
    expect(admits(registry, 't1', 'unsealed')).toBe(false)
    const sealed = sealedFor(
      registryWith(() => keys[1] as Buffer),
      't1',
    )
    now += 999
    expect([admits(registry, 't1', sealed), asked]).toEqual([false, 1])
    now += 1
    expect([admits(registry, 't1', sealed), asked]).toEqual([true, 2])
    expect([admits(registry, 't2', sealed), asked]).toEqual([false, 2])
    now += 999
    expect([admits(registry, 't2', sealed), asked]).toEqual([false, 2])
    now += 1
    expect([admits(registry, 't2', sealed), asked]).toEqual([false, 3])
  })

  test('that the registry made itself stays, when it is asked for again', () => {
    let now = 10_000
    jest.spyOn(performance, 'now').mockImplementation(() => now)
    const registry = { prefix: 'mcps', store: {} } as unknown as Registry
    const sealed = sealedFor(registry, 't1')
    now += 2000
    expect([admits(registry, 't2', sealed), admits(registry, 't1', sealed)]).toEqual([false, true])
  })

  test('that cannot be read fails the request, and the next one asks again', async () => {
    const down = new UnavailableError('credential_store', 'down')
    const sessionKey = jest.fn<SessionKey>(() => KEY)
    sessionKey.mockImplementationOnce(() => {
      throw down
    })
    sessionKey.mockImplementationOnce(() => Promise.reject(down))
    const registry = registryWith(sessionKey)
    expect(() => admits(registry, 't1', 'x')).toThrow(down)
    await expect(admits(registry, 't1', 'x')).rejects.toBe(down)
    expect(admits(registry, 't1', sealedFor(registry, 't1'))).toBe(true)
  })
})
