import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { firstPresented, type Gate, type UpgradeServer } from '@countersign/core'
import { granted } from '@countersign/core/gate-kit'
import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals'
import { badgeGate, decides } from './harness.js'
import { askUpgrade, bad, echo, good, later, startWorld, type World } from './upgrade-harness.js'

let world: World
beforeEach(async () => {
  world = await startWorld()
})
afterEach(async () => {
  jest.restoreAllMocks()
  await world.close()
})

describe('optional() and firstPresented', () => {
  test('an optional gate lets an upgrade through without a principal and without an event, and refuses a bad one', async () => {
    world.gateOf().optional().upgrade(world.server, '/live', world.listener)
    await (await askUpgrade(world.port, '/live')).until('101')
    await (await askUpgrade(world.port, '/live', good)).until('101')
    expect(await (await askUpgrade(world.port, '/live', bad)).closed()).toContain('HTTP/1.1 401 ')
    expect(world.passed.map(({ principal }) => principal)).toEqual([undefined, { kind: 'key', id: 'the-key' }])
    expect(world.events.map(({ type }) => type)).toEqual(['access.granted', 'access.denied'])
  })

  test('of composed gates the one whose credential is presented decides alone', async () => {
    firstPresented(world.gateOf(), badgeGate({ audit: world.audit })).upgrade(world.server, '/live', world.listener)
    await (await askUpgrade(world.port, '/live', { headers: { 'X-Badge': '7' } })).until('101')
    expect(await (await askUpgrade(world.port, '/live', bad)).closed()).toContain('HTTP/1.1 401 ')
    const both = await askUpgrade(world.port, '/live', { headers: { 'X-Badge': '7', 'X-Key': 'good' } })
    expect(await both.closed()).toContain('HTTP/1.1 400 ')
    const none = await (await askUpgrade(world.port, '/live')).closed()
    expect(none).toContain('WWW-Authenticate: Key realm="tests", Badge')
    expect(world.passed.map(({ principal }) => principal)).toEqual([{ kind: 'badge', id: '7' }])
    expect(world.events.map(({ gate, reason }) => [gate, reason])).toEqual([
      ['badge', undefined],
      ['key', 'unknown'],
      ['first-presented', 'ambiguous'],
      ['first-presented', 'missing'],
    ])
  })

  test('composed gates are optional, too', async () => {
    firstPresented(world.gateOf(), badgeGate({ audit: world.audit }))
      .optional()
      .upgrade(world.server, '/live', world.listener)
    await (await askUpgrade(world.port, '/live')).until('101')
    expect(await (await askUpgrade(world.port, '/live', bad)).closed()).toContain('HTTP/1.1 401 ')
    expect(world.passed.map(({ principal }) => principal)).toEqual([undefined])
  })
})

describe('[core-upgrade] other listeners of the server', () => {
  test('get the upgrades to their paths, untouched', async () => {
    world.server.on('upgrade', (request, socket, head) => {
      if (request.url === '/other') echo(socket, head)
    })
    world.gateOf().upgrade(world.server, '/live', world.listener)
    const client = await askUpgrade(world.port, '/other', { head: 'theirs' })
    await client.until('theirs')
    expect([world.passed, world.events]).toEqual([[], []])
  })

  test('may say which address is the client, as Express does behind a proxy', async () => {
    world.server.on('upgrade', (request) => Object.assign(request, { ip: '203.0.113.7' }))
    world.gateOf().upgrade(world.server, '/live', world.listener)
    await (await askUpgrade(world.port, '/live', good)).until('101')
    expect(world.events[0]?.http?.clientAddress).toBe('203.0.113.7')
  })

  test('where the server serves no requests, an upgrade to another path gets 404 and no event', async () => {
    world.server.removeAllListeners('request')
    world.gateOf().upgrade(world.server, '/live', world.listener)
    expect(await (await askUpgrade(world.port, '/other', good)).closed()).toMatch(/^HTTP\/1\.1 404 Not Found\r\n/)
    expect([world.passed, world.events]).toEqual([[], []])
  })

  test('of eleven paths make one listener, so that Node warns of no leak', () => {
    const warn = jest.spyOn(process, 'emitWarning').mockImplementation(() => undefined)
    const stops = Array.from({ length: 11 }, (_, i) => world.gateOf().upgrade(world.server, `/${i}`, world.listener))
    expect(world.server.listenerCount('upgrade')).toBe(1)
    for (const stop of stops) stop()
    expect(world.server.listenerCount('upgrade')).toBe(0)
    expect(warn).not.toHaveBeenCalled()
  })

  test('of two gates on two paths, each decides on its own', async () => {
    world.gateOf().upgrade(world.server, '/live', world.listener)
    badgeGate({ audit: world.audit }).upgrade(world.server, '/badges', world.listener)
    await (await askUpgrade(world.port, '/live', good)).until('101')
    await (await askUpgrade(world.port, '/badges', { headers: { 'X-Badge': '7' } })).until('101')
    expect(world.passed.map(({ principal }) => (principal as { kind: string }).kind)).toEqual(['key', 'badge'])
  })

  test.each(['before', 'after'])(
    'one that takes the socket of a gate, added %s it, costs the connection',
    async (when) => {
      const warn = jest.spyOn(process, 'emitWarning').mockImplementation(() => undefined)
      const take = (_request: IncomingMessage, socket: Duplex, head: Buffer) => echo(socket, head)
      if (when === 'before') world.server.on('upgrade', take)
      world.gateOf().upgrade(world.server, '/live', world.listener)
      if (when === 'after') world.server.on('upgrade', take)
      const client = await askUpgrade(world.port, '/live', bad)
      await client.closed()
      expect(client.text()).not.toContain('401')
      expect(world.passed).toEqual([])
      // The connection is closed before anything is asked.
      expect(world.events).toEqual([])
      // Once a process.
      expect(warn.mock.calls).toEqual(
        when === 'before'
          ? [[expect.stringContaining('upgrade'), expect.objectContaining({ code: 'COUNTERSIGN_UPGRADE_TAKEN' })]]
          : [],
      )
    },
  )

  test('the listener is removed by what upgrade() returns', async () => {
    const stop = world.gateOf().upgrade(world.server, '/live', world.listener)
    expect(world.server.listenerCount('upgrade')).toBe(1)
    stop()
    expect(world.server.listenerCount('upgrade')).toBe(0)
    world.gateOf().upgrade(world.server, '/live', world.listener)
  })
})

// Behind the test of the warning, which comes once a process.
test.each<[string, (socket: Duplex) => unknown]>([
  ['writes to it', (socket) => socket.write('theirs')],
  ['listens for its data', (socket) => socket.on('data', () => undefined)],
  ['waits until it is readable', (socket) => socket.on('readable', () => undefined)],
])('a socket is neither granted nor answered once something else %s', async (_title, take) => {
  jest.spyOn(process, 'emitWarning').mockImplementation(() => undefined)
  const { verify, asked, decide } = later()
  let taken: Duplex | undefined
  world.server.on('upgrade', (_request, socket) => {
    taken = socket
  })
  world.gateOf({}, { verify }).upgrade(world.server, '/live', world.listener)
  const client = await askUpgrade(world.port, '/live', good)
  await asked
  take(taken as Duplex)
  decide(granted({ kind: 'key', id: 'a' }))
  expect(await client.closed()).not.toContain('HTTP/1.1')
  expect(world.passed).toEqual([])
})

describe('a wrong call', () => {
  const ignored = () => undefined
  test.each<[string, unknown, unknown, unknown, string]>([
    ['no server', {}, '/live', ignored, 'server'],
    ['a path without a slash', undefined, 'live', ignored, 'path'],
    ['a path with a query', undefined, '/live?x', ignored, 'path'],
    ['no listener', undefined, '/live', undefined, 'listener'],
  ])('%s is refused', (_title, wrong, path, listen, option) => {
    const call = () =>
      world.gateOf().upgrade((wrong ?? world.server) as UpgradeServer, path as string, listen as typeof ignored)
    expect(call).toThrow(expect.objectContaining({ name: 'OptionError', option }))
  })

  test('a second gate for one path is refused', () => {
    world.gateOf().upgrade(world.server, '/live', world.listener)
    expect(() => badgeGate().upgrade(world.server, '/live', world.listener)).toThrow(
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
    const gate = wrap(world.gateOf({}, { ...decides(() => granted({ kind: 'key', id: 'k' })), needsBody: 'tools' }))
    expect(() => gate.upgrade(world.server, '/live', world.listener)).toThrow(
      expect.objectContaining({
        code: 'ERR_COUNTERSIGN_BODY_NEEDED',
        message: expect.stringContaining('Create a gate without "tools" for it'),
      }),
    )
    expect(world.server.listenerCount('upgrade')).toBe(0)
  })
})
