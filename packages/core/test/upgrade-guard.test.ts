import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { askUpgrade, bad, good, startWorld, type World } from './upgrade-harness.js'

let world: World
beforeEach(async () => {
  world = await startWorld()
})
afterEach(async () => {
  await world.close()
})

describe('a gate that leaves its path', () => {
  test('leaves those of the others, which refuse as before', async () => {
    const stop = world.gateOf().upgrade(world.server, '/live', world.listener)
    world.gateOf().upgrade(world.server, '/other', world.listener)
    stop()
    expect(await (await askUpgrade(world.port, '/other', bad)).closed()).toContain('HTTP/1.1 401 ')
    await (await askUpgrade(world.port, '/other', good)).until('101')
    await (await askUpgrade(world.port, '/live', good)).until('a response')
    expect(world.passed).toHaveLength(1)
  })

  test('does not take its successor with it when it leaves twice', async () => {
    const stop = world.gateOf().upgrade(world.server, '/live', world.listener)
    world.gateOf().upgrade(world.server, '/other', world.listener)
    stop()
    world.gateOf().upgrade(world.server, '/live', world.listener)
    stop()
    expect(await (await askUpgrade(world.port, '/live', bad)).closed()).toContain('HTTP/1.1 401 ')
  })

  test('leaves the listeners of the app on the server', () => {
    const own = () => undefined
    world.server.on('upgrade', own)
    const stop = world.gateOf().upgrade(world.server, '/live', world.listener)
    stop()
    expect(world.server.listeners('upgrade')).toEqual([own])
  })
})

test('a path must begin with a slash, and the error shows one', () => {
  expect(() => world.gateOf().upgrade(world.server, 'live/all', world.listener)).toThrow(/a path that starts with "\/"/)
})

test('what nothing takes gets a problem document that says so', async () => {
  world.server.removeAllListeners('request')
  world.gateOf().upgrade(world.server, '/live', world.listener)
  const answer = await (await askUpgrade(world.port, '/other', good)).closed()
  expect(JSON.parse(answer.slice(answer.indexOf('\r\n\r\n')))).toEqual({
    ...{ type: 'about:blank', title: 'Not Found', status: 404 },
    detail: 'Nothing here accepts an upgrade',
  })
})

test('a router that has set the address and the route of a request keeps them', async () => {
  world.server.on('upgrade', (request) =>
    Object.assign(request, { originalUrl: '/v1/live', route: { path: '/v1/:name' } }),
  )
  world.gateOf().upgrade(world.server, '/live', world.listener)
  await (await askUpgrade(world.port, '/live', good)).until('101')
  expect(world.passed.map(({ request }) => (request as { originalUrl?: string }).originalUrl)).toEqual(['/v1/live'])
  expect(world.events[0]?.http?.route).toBe('/v1/:name')
})
