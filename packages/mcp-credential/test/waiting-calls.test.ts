import { Readable } from 'node:stream'
import { denied, granted, unavailable } from '@countersign/core/gate-kit'
import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals'
import type { Request } from 'express'
import { isStoreOutage, waitForStore } from '../src/first-calls.js'
import type { McpCredentialVerdict } from '../src/reasons.js'

const OUTAGE: McpCredentialVerdict = unavailable('credential_store')
const GRANTED: McpCredentialVerdict = granted({
  kind: 'mcp-credential',
  id: 'c1',
  threadId: 't1',
  providerInstanceId: 'p1',
  providerSessionId: undefined,
  capabilities: [],
  expiresAt: 0,
})
const INITIALIZE = { jsonrpc: '2.0', id: 1, method: 'initialize' }
const LONGEST = 64 * 1024

beforeEach(() => {
  jest.useFakeTimers({ doNotFake: ['nextTick', 'queueMicrotask', 'setImmediate'] })
})
afterEach(() => {
  jest.useRealTimers()
})

/** A request that a parser has read. */
function parsed(body: unknown, more: object = {}) {
  const request = {
    method: 'POST',
    headers: { 'content-length': '100' },
    body,
    socket: { destroyed: false },
    readableDidRead: true,
    readableEnded: true,
    ...more,
  }
  return request as typeof request & Request
}

/** A request whose bytes wait to be read, with what something has put on `body`. */
function unread(text: string, body?: unknown) {
  const stream = Readable.from([Buffer.from(text)], { objectMode: false })
  const headers = { 'content-length': String(text.length) }
  return Object.assign(stream, { method: 'POST', headers, body, complete: true, socket: { destroyed: false } })
}

/** Starts to wait. `asked` counts how often the store was asked; it answers with the last of `answers` for ever. */
function wait(request: unknown, ...answers: (McpCredentialVerdict | Promise<McpCredentialVerdict>)[]) {
  const waiting = { asked: 0, settled: undefined as McpCredentialVerdict | undefined }
  const ask = () => {
    waiting.asked += 1
    return answers[Math.min(waiting.asked, answers.length) - 1] as McpCredentialVerdict
  }
  waitForStore(OUTAGE, request as Request, ask).then((verdict) => {
    waiting.settled = verdict
  })
  return waiting
}

const pass = (ms: number) => jest.advanceTimersByTimeAsync(ms)

describe('the first call of an agent', () => {
  test.each(['initialize', 'server/discover', 'tools/list'])('%s waits for a store that comes back', async (method) => {
    const one = wait(parsed({ ...INITIALIZE, method }), OUTAGE, OUTAGE, GRANTED)
    await pass(99)
    expect(one.asked).toBe(0)
    await pass(1)
    expect([one.asked, one.settled]).toEqual([1, undefined])
    await pass(200)
    expect([one.asked, one.settled]).toEqual([3, GRANTED])
    expect(jest.getTimerCount()).toBe(0)
  })

  test('waits before its body was read, too', async () => {
    const one = wait(unread(JSON.stringify(INITIALIZE)), GRANTED)
    for (let turn = 0; one.settled === undefined && turn < 29; turn += 1) await pass(100)
    expect([one.asked, one.settled]).toEqual([1, GRANTED])
  })

  test('waits for 3 s, and then gets the answer of the outage', async () => {
    const one = wait(parsed(INITIALIZE), OUTAGE)
    await pass(2999)
    expect([one.asked, one.settled]).toEqual([29, undefined])
    await pass(1)
    expect(one.settled).toBe(OUTAGE)
    expect(jest.getTimerCount()).toBe(0)
  })

  test('does not wait longer for a store that hangs', async () => {
    const one = wait(parsed(INITIALIZE), new Promise<never>(() => undefined))
    await pass(2999)
    expect([one.asked, one.settled]).toEqual([1, undefined])
    await pass(1)
    expect(one.settled).toBe(OUTAGE)
  })

  test('does not wait longer for a body that does not come', async () => {
    const stream = new Readable({ read: () => undefined })
    const headers = { 'content-length': '10' }
    const one = wait(Object.assign(stream, { method: 'POST', headers, socket: { destroyed: false } }), GRANTED)
    await pass(2999)
    expect(one.settled).toBeUndefined()
    await pass(1)
    expect([one.asked, one.settled]).toEqual([0, OUTAGE])
  })

  test.each<[string, McpCredentialVerdict]>([
    ['a refusal', denied('revoked')],
    ['an outage of something else', unavailable('liveness')],
  ])('gets %s as soon as the store answers', async (_what, verdict) => {
    const one = wait(parsed(INITIALIZE), OUTAGE, verdict)
    await pass(200)
    expect(one.settled).toBe(verdict)
  })

  test('is not waited for once its client has gone', async () => {
    const request = parsed(INITIALIZE)
    const one = wait(request, OUTAGE)
    await pass(100)
    request.socket.destroyed = true
    await pass(100)
    expect([one.asked, one.settled]).toEqual([2, OUTAGE])
  })

  test('waits as long as its body is declared to have at most 64 KiB', async () => {
    const longest = wait(parsed(INITIALIZE, { headers: { 'content-length': String(LONGEST) } }), GRANTED)
    const longer = wait(parsed(INITIALIZE, { headers: { 'content-length': String(LONGEST + 1) } }), GRANTED)
    await pass(100)
    expect([longest.settled, longer.settled]).toEqual([GRANTED, OUTAGE])
  })
})

describe('at once, without asking the store again, is answered', () => {
  test.each<[string, unknown]>([
    ['another call', parsed({ ...INITIALIZE, method: 'tools/call' })],
    ['a batch', parsed([INITIALIZE])],
    ['a body that is null', parsed(null)],
    ['a body that is no object', parsed(1)],
    ['another method of HTTP', parsed(INITIALIZE, { method: 'GET' })],
    ['a body of unknown length', parsed(INITIALIZE, { headers: {} })],
    ['a body whose length is no number', parsed(INITIALIZE, { headers: { 'content-length': 'x' } })],
    ['a body that something else has read', parsed('{"method":"initialize"}')],
    ['a body that cannot be read', unread('{"method":')],
    ['a request without a body', Object.assign(unread(''), { method: 'POST' })],
    ['one for whose body a handler may take another', unread(JSON.stringify(INITIALIZE), { method: 'tools/call' })],
  ])('%s', async (_what, request) => {
    const one = wait(request, GRANTED)
    for (let turn = 0; one.settled === undefined && turn < 100; turn += 1) await pass(0)
    expect([one.asked, one.settled]).toEqual([0, OUTAGE])
    expect(jest.getTimerCount()).toBe(0)
  })

  test('whatever comes while 64 wait, and there is room when they have ended', async () => {
    const requests = Array.from({ length: 64 }, () => parsed(INITIALIZE))
    const waiting = requests.map((request) => wait(request, OUTAGE))
    const next = wait(parsed(INITIALIZE), GRANTED)
    await pass(100)
    expect([next.asked, next.settled, waiting.every(({ settled }) => settled === undefined)]).toEqual([0, OUTAGE, true])
    for (const { socket } of requests.slice(1)) socket.destroyed = true
    await pass(100)
    const later = wait(parsed(INITIALIZE), GRANTED)
    await pass(100)
    expect([later.settled, waiting.filter(({ settled }) => settled === undefined).length]).toEqual([GRANTED, 1])
    for (const { socket } of requests) socket.destroyed = true
    await pass(100)
  })
})

test.each<[McpCredentialVerdict, boolean]>([
  [OUTAGE, true],
  [unavailable('liveness'), false],
  [denied('unknown'), false],
  [GRANTED, false],
])('%j is an outage of the store: %j', (verdict, expected) => {
  expect(isStoreOutage(verdict)).toBe(expected)
})
