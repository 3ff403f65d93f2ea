import { once } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer } from 'node:https'
import { connect } from 'node:tls'
import { granted } from '@countersign/core/gate-kit'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import express from 'express'
import { cert, key } from './localhost-certificate.js'
import { ask, echo, startWorld, type World } from './upgrade-harness.js'

/** What `curl --http2` of a plain URL sends; Java's `HttpClient` does, too, with bodies. */
const OFFER = 'Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA\r\n'
const HANDSHAKE = 'Connection: Upgrade\r\nUpgrade: websocket\r\n'

interface Served {
  readonly method: string | undefined
  readonly url: string | undefined
  readonly body: string
  readonly names: readonly string[]
}

let world: World
let served: Served[]
beforeEach(async () => {
  world = await startWorld()
  served = []
  world.server.removeAllListeners('request').on('request', serve)
})
afterEach(() => world.close())

async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
  let body = ''
  try {
    for await (const chunk of request) body += String(chunk)
  } catch {
    // The client broke off.
    return
  }
  const names = request.rawHeaders.filter((_text, i) => i % 2 === 0)
  served.push({ method: request.method, url: request.url, body, names })
  response.end(`served ${served.length}`)
}

const get = (target: string, fields: string) => `GET ${target} HTTP/1.1\r\nHost: localhost\r\n${fields}\r\n`

describe('[core-upgrade] an upgrade that no listener takes is the request that it would be without one', () => {
  beforeEach(() => {
    world.gateOf().upgrade(world.server, '/live', world.listener)
    world.gateOf().upgrade(world.server, '/second', world.listener)
  })

  test.each([
    '/other',
    '/',
    '/live/',
    '/LIVE',
    '/l%69ve',
    '/live%3Fa',
    '/live/x',
    '//live',
    '/./live',
    '/live;a',
    '/live#a',
    '/live%00',
    '/\\live',
    'http://localhost/live',
    '/__proto__',
    '/constructor',
  ])('at %s', async (target) => {
    for (const fields of [OFFER, HANDSHAKE]) {
      const client = await ask(world.port, get(target, `X-Key: good\r\n${fields}`))
      await client.until('served')
      expect(client.text()).toMatch(/^HTTP\/1\.1 200 OK\r\n/)
    }
    expect(served.map(({ url }) => url)).toEqual([target, target])
    expect([world.passed, world.events]).toEqual([[], []])
  })

  test('with its header lines as they came, but for Upgrade', async () => {
    const client = await ask(world.port, get('/other', `X-A: 1\r\nx-a: 2\r\n${OFFER}X-B: \xe9\r\n`))
    await client.until('served')
    expect(served[0]?.names).toEqual(['Host', 'X-A', 'x-a', 'Connection', 'HTTP2-Settings', 'X-B'])
  })

  test.each<[string, string, string]>([
    ['of a length', 'Content-Length: 300000\r\n', 'x'.repeat(300_000)],
    [
      'in chunks',
      'Transfer-Encoding: chunked\r\n',
      `186a0\r\n${'x'.repeat(100_000)}\r\n30d40\r\n${'x'.repeat(200_000)}\r\n0\r\n\r\n`,
    ],
  ])('with its body %s, and the next request of the connection after it', async (_title, framing, bytes) => {
    const client = await ask(world.port, `POST /other HTTP/1.1\r\nHost: localhost\r\n${OFFER}${framing}\r\n${bytes}`)
    await client.until('served 1')
    client.socket.write(get('/live', 'X-Key: good\r\n'))
    await client.until('served 2')
    client.socket.write(get('/again', OFFER))
    await client.until('served 3')
    expect(served.map(({ method, url, body }) => [method, url, body.length])).toEqual([
      ['POST', '/other', 300_000],
      ['GET', '/live', 0],
      ['GET', '/again', 0],
    ])
    client.socket.write(get('/live', `X-Key: good\r\n${HANDSHAKE}`))
    await client.until('101 Switching Protocols')
    expect(world.passed).toHaveLength(1)
  })

  test('and the listeners of the app for connections see each connection once', async () => {
    const seen: unknown[] = []
    world.server.on('connection', (socket) => seen.push(socket))
    const client = await ask(world.port, get('/other', OFFER).repeat(20))
    await client.until('served 20')
    expect(seen).toHaveLength(1)
    expect((seen[0] as NodeJS.EventEmitter).listenerCount('error')).toBeLessThan(3)
  })

  test('and an offer of HTTP/2 is none to a path of a gate either', async () => {
    const client = await ask(world.port, get('/live', `X-Key: good\r\n${OFFER}`))
    await client.until('served')
    expect([world.passed, world.events]).toEqual([[], []])
  })

  test('and its client may be gone, or break off in the body', async () => {
    const gone = await ask(world.port, get('/other', OFFER))
    gone.socket.resetAndDestroy()
    const closed = new Promise((resolve) => {
      world.server.on('request', (request) => {
        if (request.url !== '/broken') return
        request.once('close', resolve)
        broken.socket.resetAndDestroy()
      })
    })
    const broken = await ask(
      world.port,
      `POST /broken HTTP/1.1\r\nHost: localhost\r\n${OFFER}Content-Length: 9\r\n\r\nx`,
    )
    await closed
    await (await ask(world.port, get('/other', OFFER))).until('served')
  })

  test('and a router and a gate of Express decide on it as on any request', async () => {
    const app = express()
    app.post('/jobs', world.gateOf(), express.json(), (request, response) => {
      response.json(request.body)
    })
    world.server.removeAllListeners('request').on('request', app)
    const post = (key: string) =>
      `POST /jobs HTTP/1.1\r\nHost: localhost\r\nX-Key: ${key}\r\n${OFFER}Content-Type: application/json\r\nContent-Length: 7\r\n\r\n{"a":1}`
    const client = await ask(world.port, post('good'))
    await client.until('{"a":1}')
    client.socket.write(post('bad'))
    expect(await client.until('invalid_token')).toContain('HTTP/1.1 401 Unauthorized')
    expect(world.events.map(({ type, http }) => [type, http?.route])).toEqual([
      ['access.granted', '/jobs'],
      ['access.denied', '/jobs'],
    ])
  })
})

describe('[core-upgrade] a request whose header lines Node has not kept is not served', () => {
  const many = (count: number) => Array.from({ length: count }, (_, i) => `${i}:\r\n`).join('')
  const SMUGGLED = get('/smuggled', '')

  test.each<[string, number | null, number]>([
    ['by default', null, 1001],
    ['with a maxHeadersCount', 20, 25],
  ])('%s: its length could be in them, and its body a request', async (_title, maxHeadersCount, count) => {
    world.server.maxHeadersCount = maxHeadersCount
    world.gateOf().upgrade(world.server, '/live', world.listener)
    const length = `Content-Length: ${SMUGGLED.length}\r\n`
    const client = await ask(
      world.port,
      `POST /other HTTP/1.1\r\nHost: localhost\r\n${HANDSHAKE}${many(count)}${length}\r\n${SMUGGLED}`,
    )
    expect(await client.closed()).toMatch(/^HTTP\/1\.1 431 Request Header Fields Too Large\r\n/)
    expect(served).toEqual([])
  })

  test('one with as many lines as are kept is', async () => {
    world.server.maxHeadersCount = 0
    world.gateOf().upgrade(world.server, '/live', world.listener)
    const client = await ask(world.port, get('/other', `${HANDSHAKE}${many(1500)}`))
    await client.until('served')
    expect(served[0]?.names).toHaveLength(1502)
  })
})

test('[core-upgrade] an offer of HTTP/2 is left to the listeners of others, where there are any', async () => {
  world.gateOf().upgrade(world.server, '/live', world.listener)
  world.server.on('upgrade', (request, socket, head) => {
    if (request.url === '/theirs') echo(socket, head)
  })
  await (await ask(world.port, get('/theirs', OFFER))).until('101 Switching Protocols')
  expect(served).toEqual([])
})

test('[core-upgrade] over TLS, a gate decides on its path, and what nothing takes is served', async () => {
  const server = createServer({ key, cert }, serve)
  // The decision takes a turn of the event loop, in which TLS may write of its own.
  const gate = world.gateOf(
    {},
    {
      async verify() {
        await new Promise(setImmediate)
        return granted({ kind: 'key', id: 'the-key' })
      },
    },
  )
  gate.upgrade(server, '/live', world.listener)
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const { port } = server.address() as { port: number }
  try {
    const answers: string[] = []
    for (const bytes of [
      get('/other', HANDSHAKE),
      get('/live', HANDSHAKE),
      get('/live', `X-Key: good\r\n${HANDSHAKE}`),
    ]) {
      const socket = connect({ port, host: '127.0.0.1', rejectUnauthorized: false })
      socket.write(bytes)
      const [first] = (await once(socket, 'data')) as [Buffer]
      answers.push(String(first).slice(9, 12))
      socket.destroy()
    }
    expect(answers).toEqual(['200', '401', '101'])
  } finally {
    server.closeAllConnections()
    server.close()
  }
})
