import { once } from 'node:events'
import type { Duplex } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { type DenialHandler, principalOf, UnavailableError } from '@countersign/core'
import { granted, isUpgrade, unavailable } from '@countersign/core/gate-kit'
import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals'
import type { Request } from 'express'
import { startChildApp } from '../../../test/support/child-app.js'
import { messageFrom } from '../../../test/support/child-messages.js'
import { askUpgrade, bad, good, later, startWorld, type World } from './upgrade-harness.js'

let world: World
beforeEach(async () => {
  world = await startWorld()
})
afterEach(async () => {
  jest.restoreAllMocks()
  await world.close()
})

describe('[core-upgrade] an upgrade that is let through', () => {
  test('reaches the listener with the principal, proven for this very request, and one event of the path', async () => {
    world.gateOf().upgrade(world.server, '/live', world.listener)
    const client = await askUpgrade(world.port, '/live?room=1', good)
    expect(await client.until('\r\n\r\n')).toMatch(/^HTTP\/1\.1 101 /)
    expect(world.passed).toHaveLength(1)
    const [{ request, principal }] = world.passed as [(typeof world.passed)[0]]
    expect(principal).toEqual({ kind: 'key', id: 'the-key' })
    expect(principalOf(request, 'key')).toBe(principal)
    expect(() => principalOf(request, 'badge')).toThrow(
      expect.objectContaining({ code: 'ERR_COUNTERSIGN_PRINCIPAL_MISSING' }),
    )
    expect(isUpgrade(request)).toBe(true)
    expect(world.events).toEqual([
      expect.objectContaining({
        type: 'access.granted',
        gate: 'key',
        principal: { kind: 'key', id: 'the-key' },
        http: expect.objectContaining({ method: 'GET', route: '/live', clientAddress: '127.0.0.1' }),
      }),
    ])
    expect(world.events[0]?.http).not.toHaveProperty('status')
  })

  test('keeps the bytes that came with the handshake, and those that come while the store is asked', async () => {
    const { verify, asked, decide } = later()
    world.gateOf({}, { verify }).upgrade(world.server, '/live', world.listener)
    const client = await askUpgrade(world.port, '/live', { ...good, head: 'first ' })
    await asked
    client.socket.write('second ')
    decide(granted({ kind: 'key', id: 'the-key' }))
    await client.until('first ')
    client.socket.write('third')
    expect((await client.until('third')).split('\r\n\r\n')[1]).toBe('first second third')
  })

  test('is not let through when a required sink does not take the event: 503 on the socket', async () => {
    world.audit.subscribe(() => Promise.reject(new Error('full')), { required: true })
    world.gateOf().upgrade(world.server, '/live', world.listener)
    const text = await (await askUpgrade(world.port, '/live', good)).closed()
    expect(text).toMatch(/^HTTP\/1\.1 503 Service Unavailable\r\n/)
    expect(text).toContain('\r\nRetry-After: 1\r\n')
    expect(world.passed).toEqual([])
    expect(world.events.filter(({ gate }) => gate === 'key')).toEqual([
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
      const reported = messageFrom(child.process, String)
      const client = await askUpgrade(Number(new URL(child.url).port), '/live', good)
      expect(await reported).toBe('of the app')
      expect(client.text()).toBe('')
      client.socket.destroy()
    } finally {
      await child.stop()
    }
  })
})

describe('an upgrade that is refused', () => {
  test('gets the answer over HTTP on the socket: status, challenge, problem document, and the connection is closed', async () => {
    world.gateOf().upgrade(world.server, '/live', world.listener)
    const text = await (await askUpgrade(world.port, '/live', bad)).closed()
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
    expect(world.passed).toEqual([])
    expect(world.events).toEqual([
      expect.objectContaining({ reason: 'unknown', http: expect.objectContaining({ status: 401, route: '/live' }) }),
    ])
  })

  test.each([
    ['nothing presented', {}, 401, 'missing'],
    ['a doubled header field', { 'X-Key': ['good', 'good'] }, 400, 'ambiguous'],
  ])('%s', async (_title, headers, status, reason) => {
    world.gateOf().upgrade(world.server, '/live', world.listener)
    expect(await (await askUpgrade(world.port, '/live', { headers })).closed()).toContain(`HTTP/1.1 ${status} `)
    expect(world.events.map((event) => event.reason)).toEqual([reason])
  })

  test('gets 403 where the gate demands more, and 503 where the store cannot be asked', async () => {
    world
      .gateOf({}, { demand: () => ({ outcome: 'denied', reason: 'too_little' }) })
      .upgrade(world.server, '/much', world.listener)
    world
      .gateOf({}, { verify: () => Promise.reject(new UnavailableError('key_store', 'down')) })
      .upgrade(world.server, '/down', world.listener)
    expect(await (await askUpgrade(world.port, '/much', good)).closed()).toContain('HTTP/1.1 403 Forbidden')
    expect(await (await askUpgrade(world.port, '/down', good)).closed()).toContain('HTTP/1.1 503 Service Unavailable')
    expect(world.events.map(({ reason }) => reason)).toEqual(['too_little', 'key_store'])
  })

  test('gets 500 without detail for a bug of the gate', async () => {
    const read = () => {
      throw new TypeError('the secret is hunter2')
    }
    world.gateOf({}, { read }).upgrade(world.server, '/live', world.listener)
    const text = await (await askUpgrade(world.port, '/live', good)).closed()
    expect(text).toContain('HTTP/1.1 500 Internal Server Error')
    expect(text).not.toContain('hunter2')
    expect(world.events.map(({ reason }) => reason)).toEqual(['internal_error'])
  })

  test('gets the plain problem document, whatever the gate makes of answers, and onDenied has no say', async () => {
    const shape = jest.fn(() => {
      throw new Error('there is no response')
    })
    const onDenied = jest.fn<DenialHandler>()
    world.gateOf({ onDenied }, { shape }).upgrade(world.server, '/function', world.listener)
    world.gateOf({ onDenied: 'next' }, { shape }).upgrade(world.server, '/next', world.listener)
    for (const path of ['/function', '/next']) {
      expect(await (await askUpgrade(world.port, path, bad)).closed()).toContain('application/problem+json')
    }
    expect(shape).not.toHaveBeenCalled()
    expect(onDenied).not.toHaveBeenCalled()
  })

  test('reads the whole answer although it has sent more than the world.server read', async () => {
    const { verify, asked, decide } = later()
    world.gateOf({}, { verify }).upgrade(world.server, '/live', world.listener)
    const client = await askUpgrade(world.port, '/live', good)
    await asked
    client.socket.write('x'.repeat(1_000_000))
    decide(unavailable('key_store'))
    expect(await client.closed()).toMatch(/503 Service Unavailable[\s\S]*\}$/)
  })

  test('is closed although the client keeps sending and never closes', async () => {
    world.gateOf().upgrade(world.server, '/live', world.listener)
    const serverSide = once(world.server, 'connection').then(([socket]) => socket as Duplex)
    const client = await askUpgrade(world.port, '/live', bad)
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

test('a server that closes while the store is asked answers first', async () => {
  const { verify, asked, decide } = later()
  world.gateOf({}, { verify }).upgrade(world.server, '/live', world.listener)
  const client = await askUpgrade(world.port, '/live', good)
  await asked
  const closed = once(world.server, 'close')
  world.server.close()
  decide(unavailable('key_store'))
  expect(await client.closed()).toContain('HTTP/1.1 503 ')
  await closed
  await once(world.server.listen(0, '127.0.0.1'), 'listening')
})

test('a polluted prototype changes neither the address that a gate reads nor the path of the event', async () => {
  const seen: unknown[] = []
  const read = ({ originalUrl }: Request) => {
    seen.push(originalUrl)
    return 'good'
  }
  world.gateOf({}, { read }).upgrade(world.server, '/live', world.listener)
  const polluted = Object.prototype as { originalUrl?: string; route?: unknown }
  Object.assign(polluted, { originalUrl: '/other', route: { path: '/other' } })
  try {
    await (await askUpgrade(world.port, '/live?a', good)).until('101')
  } finally {
    delete polluted.originalUrl
    delete polluted.route
  }
  expect(seen).toEqual(['/live?a'])
  expect(world.events[0]?.http?.route).toBe('/live')
})

describe('a client that goes while the store is asked', () => {
  test('does not reach the world.listener, and its reset does not end the process', async () => {
    const { verify, asked, decide } = later()
    world.gateOf({}, { verify }).upgrade(world.server, '/live', world.listener)
    const serverSide = once(world.server, 'connection').then(([socket]) => socket as Duplex)
    const client = await askUpgrade(world.port, '/live', good)
    const socket = await serverSide
    await asked
    client.socket.resetAndDestroy()
    if (!socket.destroyed) await new Promise((resolve) => socket.once('close', resolve))
    decide(granted({ kind: 'key', id: 'the-key' }))
    await new Promise(setImmediate)
    expect(world.passed).toEqual([])
    expect(world.events.map(({ type }) => type)).toEqual(['access.granted'])
  })

  test('may have ended its half alone: the listener gets the socket', async () => {
    const { verify, asked, decide } = later()
    world.gateOf({}, { verify }).upgrade(world.server, '/live', world.listener)
    const client = await askUpgrade(world.port, '/live', { ...good, head: 'all of it' })
    client.socket.allowHalfOpen = true
    client.socket.end()
    await asked
    decide(granted({ kind: 'key', id: 'the-key' }))
    expect(await client.closed()).toMatch(/101 Switching Protocols[\s\S]*all of it$/)
  })
})
