import { once } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { ask, type Client, startWorld, type World } from './upgrade-harness.js'

const OFFER = 'Connection: Upgrade\r\nUpgrade: h2c\r\n'
const HANDSHAKE = 'Connection: Upgrade\r\nUpgrade: websocket\r\n'

const get = (target: string, fields = '') => `GET ${target} HTTP/1.1\r\nHost: localhost\r\n${fields}\r\n`
/** The statuses and the bodies that were received, in their order. */
const answersOf = (client: Client) => client.text().match(/(?<=HTTP\/1\.1 )\d+|\[.*?\]/g)

let world: World
beforeEach(async () => {
  world = await startWorld()
  world.server.removeAllListeners('request')
  world.gateOf().upgrade(world.server, '/live', world.listener)
})
afterEach(() => world.close())

/** Sends `/slow` and what follows at once; what is asked else is answered immediately. */
async function askBehindSlow(following: string): Promise<{ client: Client; slow: ServerResponse }> {
  const asked = new Promise<ServerResponse>((resolve) => {
    world.server.on('request', (request: IncomingMessage, response: ServerResponse) => {
      if (request.url === '/slow') resolve(response)
      else response.end(`[${request.url}]`)
    })
  })
  const client = await ask(world.port, get('/slow') + following)
  const slow = await asked
  // Node has parsed all that came with it.
  await new Promise(setImmediate)
  return { client, slow }
}

describe('[core-upgrade] an upgrade that comes before the earlier requests of its connection are answered', () => {
  test.each([
    ['that nothing takes', get('/other', HANDSHAKE), '/other'],
    ['that offers HTTP/2 alone', get('/live', OFFER), '/live'],
  ])('%s is served in its turn, and so is what follows', async (_title, upgrade, url) => {
    const { client, slow } = await askBehindSlow(get('/second') + upgrade + upgrade + get('/next'))
    slow.end('[/slow]')
    await client.until('[/next]')
    // Answered out of its turn, this one would end the process.
    client.socket.write(get('/last'))
    await client.until('[/last]')
    const expected = ['/slow', '/second', url, url, '/next', '/last'].flatMap((one) => ['200', `[${one}]`])
    expect(answersOf(client)).toEqual(expected)
  })

  test('is decided on in its turn, and let through after them', async () => {
    const { client, slow } = await askBehindSlow(get('/live', `X-Key: good\r\n${HANDSHAKE}`))
    expect(world.events).toEqual([])
    slow.end('[/slow]')
    await client.until('101 Switching Protocols')
    expect(answersOf(client)).toEqual(['200', '[/slow]', '101'])
  })

  test('is refused in its turn', async () => {
    const { client, slow } = await askBehindSlow(get('/live', HANDSHAKE))
    slow.end('[/slow]')
    await client.closed()
    expect(answersOf(client)).toEqual(['200', '[/slow]', '401'])
  })

  test('does not stop an earlier answer that waits for its client to read', async () => {
    const { client, slow } = await askBehindSlow(get('/other', OFFER))
    client.socket.pause()
    // More than the buffers of a socket hold.
    while (slow.write(Buffer.alloc(1_000_000, 'x'))) await new Promise(setImmediate)
    client.socket.resume()
    await once(slow, 'drain')
    slow.end()
    const [request] = (await once(world.server, 'request')) as [IncomingMessage]
    expect(request.url).toBe('/other')
  })

  test('is not taken for the idle time of a connection that is kept alive', async () => {
    world.server.keepAliveTimeout = 1
    const { client, slow } = await askBehindSlow(get('/late', OFFER))
    let timeout: number | undefined
    world.server.on('request', ({ socket }: IncomingMessage) => {
      timeout = socket.timeout ?? 0
    })
    slow.end('[/slow]')
    await client.until('[/late]')
    expect(timeout).toBe(0)
  })

  test.each(['/other', '/live'])('to %s is given up when its client resets the connection', async (target) => {
    const { client, slow } = await askBehindSlow(get(target, HANDSHAKE))
    client.socket.resetAndDestroy()
    // The reset is seen when something is written.
    while (!slow.destroyed) {
      slow.write('x')
      await new Promise(setImmediate)
    }
    expect([world.passed, world.events]).toEqual([[], []])
  })

  test('is not served on a connection that the earlier answer closes', async () => {
    const { client, slow } = await askBehindSlow(get('/other', OFFER))
    slow.setHeader('Connection', 'close')
    slow.end('[/slow]')
    await client.closed()
    expect(answersOf(client)).toEqual(['200', '[/slow]'])
  })
})
