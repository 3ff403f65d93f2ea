import { once } from 'node:events'
import type { IncomingMessage, Server } from 'node:http'
import type { Duplex } from 'node:stream'
import { fileURLToPath } from 'node:url'
import {
  type AuditEvent,
  type DenialHandler,
  firstPresented,
  type Gate,
  type GateOptions,
  principalOf,
  UnavailableError,
  type UpgradeServer,
} from '@countersign/core'
import { granted, isUpgrade, unavailable } from '@countersign/core/gate-kit'
import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals'
import { recordAudit } from '../../../test/support/audit-recorder.js'
import { startChildApp } from '../../../test/support/child-app.js'
import { badgeGate, decides, type KeyOptions, type KeyVerdict, keyGate } from './harness.js'
import { askUpgrade, echo, startServer } from './upgrade-harness.js'

let server: Server
let port: number
let close: () => Promise<void>
let audit: NonNullable<GateOptions['audit']>
let events: AuditEvent[]
/** What the listener behind the gate got. */
let passed: { request: IncomingMessage; principal: unknown }[]

beforeEach(async () => {
  const started = await startServer()
  server = started.server
  port = started.port
  close = started.close
  const recorded = recordAudit()
  audit = recorded.audit
  events = recorded.events
  passed = []
})

afterEach(async () => {
  jest.restoreAllMocks()
  await close()
})

function listener(request: IncomingMessage, socket: Duplex, head: Buffer, principal: unknown): void {
  passed.push({ request, principal })
  echo(socket, head)
}

const good = { headers: { 'X-Key': 'good' } }
const bad = { headers: { 'X-Key': 'bad' } }

function gateOf(options: KeyOptions = {}, changes: Parameters<typeof keyGate>[1] = {}) {
  return keyGate({ audit, ...options }, changes)
}

/** A verdict that a test gives when it wants to. */
function later(): { verdict: Promise<KeyVerdict>; decide: (verdict: KeyVerdict) => void; asked: Promise<void> } & {
  verify: () => Promise<KeyVerdict>
} {
  let decide: (verdict: KeyVerdict) => void = () => undefined
  let ask: () => void = () => undefined
  const verdict = new Promise<KeyVerdict>((resolve) => {
    decide = resolve
  })
  const asked = new Promise<void>((resolve) => {
    ask = resolve
  })
  const verify = () => {
    ask()
    return verdict
  }
  return { verdict, decide, asked, verify }
}

describe('an upgrade that is let through', () => {
  test('reaches the listener with the principal, proven for this very request, and one event of the path', async () => {
    gateOf().upgrade(server, '/live', listener)
    const client = await askUpgrade(port, '/live?room=1', good)
    expect(await client.until('\r\n\r\n')).toMatch(/^HTTP\/1\.1 101 /)
    expect(passed).toHaveLength(1)
    const [{ request, principal }] = passed as [(typeof passed)[0]]
    expect(principal).toEqual({ kind: 'key', id: 'the-key' })
    expect(principalOf(request, 'key')).toBe(principal)
    expect(() => principalOf(request, 'badge')).toThrow(
      expect.objectContaining({ code: 'ERR_COUNTERSIGN_PRINCIPAL_MISSING' }),
    )
    expect(isUpgrade(request)).toBe(true)
    expect(events).toEqual([
      expect.objectContaining({
        type: 'access.granted',
        gate: 'key',
        principal: { kind: 'key', id: 'the-key' },
        http: expect.objectContaining({ method: 'GET', route: '/live', clientAddress: '127.0.0.1' }),
      }),
    ])
    expect(events[0]?.http).not.toHaveProperty('status')
  })

  test('keeps the bytes that came with the handshake, and those that come while the store is asked', async () => {
    const { verify, asked, decide } = later()
    gateOf({}, { verify }).upgrade(server, '/live', listener)
    const client = await askUpgrade(port, '/live', { ...good, head: 'first ' })
    await asked
    client.socket.write('second ')
    decide(granted({ kind: 'key', id: 'the-key' }))
    await client.until('first ')
    client.socket.write('third')
    expect((await client.until('third')).split('\r\n\r\n')[1]).toBe('first second third')
  })

  test('is not let through when a required sink does not take the event: 503 on the socket', async () => {
    audit.subscribe(() => Promise.reject(new Error('full')), { required: true })
    gateOf().upgrade(server, '/live', listener)
    const text = await (await askUpgrade(port, '/live', good)).closed()
    expect(text).toMatch(/^HTTP\/1\.1 503 Service Unavailable\r\n/)
    expect(text).toContain('\r\nRetry-After: 1\r\n')
    expect(passed).toEqual([])
    expect(events.filter(({ gate }) => gate === 'key')).toEqual([
      expect.objectContaining({
        type: 'access.unavailable',
        reason: 'audit_sink',
        http: expect.objectContaining({ status: 503, route: '/live' }),
      }),
    ])
  })

  test('may meet a listener that throws: that is reported by Node, and the gate answers nothing', async () => {
    const child = await startChildApp(fileURLToPath(new URL('upgrade-process.ts', import.meta.url)), {})
    try {
      const reported = once(child.process, 'message')
      const client = await askUpgrade(Number(new URL(child.url).port), '/live', good)
      expect(await reported).toContain('of the app')
      expect(client.text()).toBe('')
      client.socket.destroy()
    } finally {
      await child.stop()
    }
  })
})

describe('an upgrade that is refused', () => {
  test('gets the answer over HTTP on the socket: status, challenge, problem document, and the connection is closed', async () => {
    gateOf().upgrade(server, '/live', listener)
    const text = await (await askUpgrade(port, '/live', bad)).closed()
    const [head = '', body = ''] = text.split('\r\n\r\n')
    expect(head.split('\r\n')).toEqual([
      'HTTP/1.1 401 Unauthorized',
      'WWW-Authenticate: Key realm="tests"',
      'Cache-Control: no-store',
      'Content-Type: application/problem+json; charset=utf-8',
      `Content-Length: ${Buffer.byteLength(body)}`,
      'Connection: close',
    ])
    expect(JSON.parse(body)).toEqual({
      type: 'about:blank',
      title: 'Unauthorized',
      status: 401,
      error: 'invalid_token',
    })
    expect(passed).toEqual([])
    expect(events).toEqual([
      expect.objectContaining({ reason: 'unknown', http: expect.objectContaining({ status: 401, route: '/live' }) }),
    ])
  })

  test.each([
    ['nothing presented', {}, 401, 'missing'],
    ['a doubled header field', { 'X-Key': ['good', 'good'] }, 400, 'ambiguous'],
  ])('%s', async (_title, headers, status, reason) => {
    gateOf().upgrade(server, '/live', listener)
    expect(await (await askUpgrade(port, '/live', { headers })).closed()).toContain(`HTTP/1.1 ${status} `)
    expect(events.map((event) => event.reason)).toEqual([reason])
  })

  test('gets 403 where the gate demands more, and 503 where the store cannot be asked', async () => {
    gateOf({}, { demand: () => ({ outcome: 'denied', reason: 'too_little' }) }).upgrade(server, '/much', listener)
    gateOf({}, { verify: () => Promise.reject(new UnavailableError('key_store', 'down')) }).upgrade(
      server,
      '/down',
      listener,
    )
    expect(await (await askUpgrade(port, '/much', good)).closed()).toContain('HTTP/1.1 403 Forbidden')
    expect(await (await askUpgrade(port, '/down', good)).closed()).toContain('HTTP/1.1 503 Service Unavailable')
    expect(events.map(({ reason }) => reason)).toEqual(['too_little', 'key_store'])
  })

  test('gets 500 without detail for a bug of the gate', async () => {
    const read = () => {
      throw new TypeError('the secret is hunter2')
    }
    gateOf({}, { read }).upgrade(server, '/live', listener)
    const text = await (await askUpgrade(port, '/live', good)).closed()
    expect(text).toContain('HTTP/1.1 500 Internal Server Error')
    expect(text).not.toContain('hunter2')
    expect(events.map(({ reason }) => reason)).toEqual(['internal_error'])
  })

  test('gets the plain problem document, whatever the gate makes of answers, and onDenied has no say', async () => {
    const shape = jest.fn(() => {
      throw new Error('there is no response')
    })
    const onDenied = jest.fn<DenialHandler>()
    gateOf({ onDenied }, { shape }).upgrade(server, '/function', listener)
    gateOf({ onDenied: 'next' }, { shape }).upgrade(server, '/next', listener)
    for (const path of ['/function', '/next']) {
      expect(await (await askUpgrade(port, path, bad)).closed()).toContain('application/problem+json')
    }
    expect(shape).not.toHaveBeenCalled()
    expect(onDenied).not.toHaveBeenCalled()
  })

  test('reads the whole answer although it has sent more than the server read', async () => {
    const { verify, asked, decide } = later()
    gateOf({}, { verify }).upgrade(server, '/live', listener)
    const client = await askUpgrade(port, '/live', good)
    await asked
    client.socket.write('x'.repeat(1_000_000))
    decide(unavailable('key_store'))
    expect(await client.closed()).toMatch(/503 Service Unavailable[\s\S]*\}$/)
  })

  test('is closed although the client goes on sending and never closes', async () => {
    gateOf().upgrade(server, '/live', listener)
    const serverSide = once(server, 'connection').then(([socket]) => socket as Duplex)
    const client = await askUpgrade(port, '/live', bad)
    client.socket.allowHalfOpen = true
    const socket = await serverSide
    const timer = setInterval(() => client.socket.writable && client.socket.write('more'), 50)
    try {
      await once(socket, 'close')
    } finally {
      clearInterval(timer)
    }
    expect(client.text()).toContain('HTTP/1.1 401 ')
  })
})

describe('a client that goes while the store is asked', () => {
  test('does not reach the listener, and its reset does not end the process', async () => {
    const { verify, asked, decide } = later()
    gateOf({}, { verify }).upgrade(server, '/live', listener)
    const serverSide = once(server, 'connection').then(([socket]) => socket as Duplex)
    const client = await askUpgrade(port, '/live', good)
    const socket = await serverSide
    await asked
    client.socket.resetAndDestroy()
    if (!socket.destroyed) await new Promise((resolve) => socket.once('close', resolve))
    decide(granted({ kind: 'key', id: 'the-key' }))
    await new Promise(setImmediate)
    expect(passed).toEqual([])
    expect(events.map(({ type }) => type)).toEqual(['access.granted'])
  })

  test('may have ended its half alone: the listener gets the socket', async () => {
    const { verify, asked, decide } = later()
    gateOf({}, { verify }).upgrade(server, '/live', listener)
    const client = await askUpgrade(port, '/live', { ...good, head: 'all of it' })
    client.socket.allowHalfOpen = true
    client.socket.end()
    await asked
    decide(granted({ kind: 'key', id: 'the-key' }))
    expect(await client.closed()).toMatch(/101 Switching Protocols[\s\S]*all of it$/)
  })
})

describe('optional() and firstPresented', () => {
  test('an optional gate lets an upgrade through without a principal and without an event, and refuses a bad one', async () => {
    gateOf().optional().upgrade(server, '/live', listener)
    await (await askUpgrade(port, '/live')).until('101')
    await (await askUpgrade(port, '/live', good)).until('101')
    expect(await (await askUpgrade(port, '/live', bad)).closed()).toContain('HTTP/1.1 401 ')
    expect(passed.map(({ principal }) => principal)).toEqual([undefined, { kind: 'key', id: 'the-key' }])
    expect(events.map(({ type }) => type)).toEqual(['access.granted', 'access.denied'])
  })

  test('of composed gates the one whose credential is presented decides alone', async () => {
    firstPresented(gateOf(), badgeGate({ audit })).upgrade(server, '/live', listener)
    await (await askUpgrade(port, '/live', { headers: { 'X-Badge': '7' } })).until('101')
    expect(await (await askUpgrade(port, '/live', bad)).closed()).toContain('HTTP/1.1 401 ')
    const both = await askUpgrade(port, '/live', { headers: { 'X-Badge': '7', 'X-Key': 'good' } })
    expect(await both.closed()).toContain('HTTP/1.1 400 ')
    const none = await (await askUpgrade(port, '/live')).closed()
    expect(none).toContain('WWW-Authenticate: Key realm="tests", Badge')
    expect(passed.map(({ principal }) => principal)).toEqual([{ kind: 'badge', id: '7' }])
    expect(events.map(({ gate, reason }) => [gate, reason])).toEqual([
      ['badge', undefined],
      ['key', 'unknown'],
      ['first-presented', 'ambiguous'],
      ['first-presented', 'missing'],
    ])
  })

  test('composed gates are optional, too', async () => {
    firstPresented(gateOf(), badgeGate({ audit })).optional().upgrade(server, '/live', listener)
    await (await askUpgrade(port, '/live')).until('101')
    expect(await (await askUpgrade(port, '/live', bad)).closed()).toContain('HTTP/1.1 401 ')
    expect(passed.map(({ principal }) => principal)).toEqual([undefined])
  })
})

describe('other listeners of the server', () => {
  test('get the upgrades to their paths, untouched', async () => {
    server.on('upgrade', (request, socket, head) => {
      if (request.url === '/other') echo(socket, head)
    })
    gateOf().upgrade(server, '/live', listener)
    const client = await askUpgrade(port, '/other', { head: 'theirs' })
    await client.until('theirs')
    expect([passed, events]).toEqual([[], []])
  })

  test('may say which address is the client, as Express does behind a proxy', async () => {
    server.on('upgrade', (request) => Object.assign(request, { ip: '203.0.113.7' }))
    gateOf().upgrade(server, '/live', listener)
    await (await askUpgrade(port, '/live', good)).until('101')
    expect(events[0]?.http?.clientAddress).toBe('203.0.113.7')
  })

  test.each(['/other', '/live/', '/LIVE', '/l%69ve', '/live/x', '//live'])(
    'where there are none, an upgrade to %s gets 404 and no event',
    async (path) => {
      gateOf().upgrade(server, '/live', listener)
      gateOf().upgrade(server, '/second', listener)
      expect(await (await askUpgrade(port, path, good)).closed()).toMatch(/^HTTP\/1\.1 404 Not Found\r\n/)
      expect([passed, events]).toEqual([[], []])
    },
  )

  test('of two gates on two paths, each decides on its own', async () => {
    gateOf().upgrade(server, '/live', listener)
    badgeGate({ audit }).upgrade(server, '/badges', listener)
    await (await askUpgrade(port, '/live', good)).until('101')
    await (await askUpgrade(port, '/badges', { headers: { 'X-Badge': '7' } })).until('101')
    expect(passed.map(({ principal }) => (principal as { kind: string }).kind)).toEqual(['key', 'badge'])
  })

  test.each(['before', 'after'])(
    'one that takes the socket of a gate, added %s it, costs the connection',
    async (when) => {
      const warn = jest.spyOn(process, 'emitWarning').mockImplementation(() => undefined)
      const take = (_request: IncomingMessage, socket: Duplex, head: Buffer) => echo(socket, head)
      if (when === 'before') server.on('upgrade', take)
      gateOf().upgrade(server, '/live', listener)
      if (when === 'after') server.on('upgrade', take)
      const client = await askUpgrade(port, '/live', bad)
      await client.closed()
      expect(client.text()).not.toContain('401')
      expect(passed).toEqual([])
      expect(events.map(({ reason }) => reason)).toEqual(['unknown'])
      // Once a process.
      expect(warn.mock.calls).toEqual(
        when === 'before'
          ? [[expect.stringContaining('upgrade'), expect.objectContaining({ code: 'COUNTERSIGN_UPGRADE_TAKEN' })]]
          : [],
      )
    },
  )

  test('the listener is removed by what upgrade() returns', async () => {
    const stop = gateOf().upgrade(server, '/live', listener)
    expect(server.listenerCount('upgrade')).toBe(1)
    stop()
    expect(server.listenerCount('upgrade')).toBe(0)
    gateOf().upgrade(server, '/live', listener)
  })
})

describe('a wrong call', () => {
  test.each<[string, unknown, unknown, unknown, string]>([
    ['no server', {}, '/live', listener, 'server'],
    ['a path without a slash', undefined, 'live', listener, 'path'],
    ['a path with a query', undefined, '/live?x', listener, 'path'],
    ['no listener', undefined, '/live', undefined, 'listener'],
  ])('%s is refused', (_title, wrong, path, listen, option) => {
    const call = () => gateOf().upgrade((wrong ?? server) as UpgradeServer, path as string, listen as typeof listener)
    expect(call).toThrow(expect.objectContaining({ name: 'OptionError', option }))
  })

  test('a second gate for one path is refused', () => {
    gateOf().upgrade(server, '/live', listener)
    expect(() => badgeGate().upgrade(server, '/live', listener)).toThrow(
      expect.objectContaining({
        code: 'ERR_COUNTERSIGN_UPGRADE_PATH_TAKEN',
        message: expect.stringMatching(/^requireBadge\.upgrade: .*\/errors\/ERR_COUNTERSIGN_UPGRADE_PATH_TAKEN$/),
      }),
    )
  })

  test.each<[string, (gate: Gate) => Gate]>([
    ['a gate', (gate) => gate],
    ['an optional gate', (gate) => gate.optional()],
    ['a composed gate', (gate) => firstPresented(badgeGate(), gate)],
  ])('%s that decides on bodies is refused', (_title, wrap) => {
    const gate = wrap(gateOf({}, { ...decides(() => granted({ kind: 'key', id: 'k' })), needsBody: 'tools' }))
    expect(() => gate.upgrade(server, '/live', listener)).toThrow(
      expect.objectContaining({
        code: 'ERR_COUNTERSIGN_BODY_NEEDED',
        message: expect.stringContaining('Make a gate without "tools" for it'),
      }),
    )
    expect(server.listenerCount('upgrade')).toBe(0)
  })
})
