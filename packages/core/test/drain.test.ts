import { once } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { connect as connectHttp2, constants, createServer as createHttp2Server } from 'node:http2'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { Readable } from 'node:stream'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { drain } from '@countersign/core/body'
import { afterEach, describe, expect, test } from '@jest/globals'
import type { Request } from 'express'
import { type RunningServer, serve } from '../../../test/support/http-server.js'

const KIB = 1024
const REFUSAL = 'HTTP/1.1 401 Unauthorized'

let running: RunningServer
const clients = new Set<Socket>()
afterEach(async () => {
  for (const client of clients) client.destroy()
  clients.clear()
  await running.close()
})

type Refuse = (request: Request, response: ServerResponse) => void

const refuseAtOnce: Refuse = (request, response) => {
  drain(request)
  response.writeHead(401, { 'Content-Length': 2 }).end('no')
}

/** Serves requests that have their response, as those of Express have. */
async function start(refuse: Refuse): Promise<void> {
  running = await serve((request, response) => refuse(Object.assign(request, { res: response }) as Request, response))
}

/** A client that keeps what it gets. */
function client(): {
  readonly socket: Socket
  text: () => string
  until: (text: string, times?: number) => Promise<void>
} {
  const socket = connect(running.port, '127.0.0.1')
  clients.add(socket.on('error', () => undefined))
  let got = ''
  socket.setEncoding('latin1').on('data', (text) => {
    got += text
  })
  const until = async (text: string, times = 1) => {
    while (got.split(text).length <= times) await Promise.race([once(socket, 'data'), once(socket, 'close').then(fail)])
  }
  const fail = () => {
    throw new Error(`closed after ${got}`)
  }
  return { socket, text: () => got, until }
}

const post = (length: number, path = '/') => `POST ${path} HTTP/1.1\r\nHost: tests\r\nContent-Length: ${length}\r\n\r\n`

/** Writes as much as the other side takes, until the connection is closed. */
async function flood(socket: Socket): Promise<void> {
  const piece = Buffer.alloc(64 * KIB)
  while (!socket.destroyed && socket.writable) {
    if (!socket.write(piece)) await Promise.race([once(socket, 'drain'), once(socket, 'close')])
    await nextTurn()
  }
}

/** How many listeners there are; Node has one for the end. */
const listeners = (of: Readable) => ['data', 'close', 'error'].map((name) => of.listenerCount(name))

describe('what a refused client still sends', () => {
  test('is discarded to its end where that is near, and the connection serves the next request', async () => {
    const seen: IncomingMessage[] = []
    const before: unknown[] = []
    await start((request, response) => {
      seen.push(request)
      before.push(listeners(request))
      refuseAtOnce(request, response)
    })
    const { socket, until } = client()
    const half = Buffer.alloc(128 * KIB)
    socket.write(post(256 * KIB))
    socket.write(half)
    await until('no')
    socket.write(half)
    socket.write(post(0))
    await until(REFUSAL, 2)
    // Nothing is left of it: no timer that keeps the process, and no listener.
    expect(listeners(seen[0] as IncomingMessage)).toEqual(before[0])
    expect(seen.map(({ socket: { remotePort } }) => remotePort)).toEqual([socket.localPort, socket.localPort])
  })

  test('is read to 256 KiB and no further: the client reads the answer, and the end of the connection', async () => {
    let server: Socket | undefined
    await start((request, response) => {
      server = request.socket
      refuseAtOnce(request, response)
    })
    const { socket, text } = client()
    const ended = once(socket, 'end')
    socket.write(post(1024 * 1024 * KIB))
    void flood(socket)
    await ended
    expect(text()).toContain(REFUSAL)
    expect(text()).toMatch(/no$/)
    const { bytesRead } = server as Socket
    expect(bytesRead).toBeGreaterThan(256 * KIB)
    // What had been read from the system before it stopped.
    expect(bytesRead).toBeLessThan(640 * KIB)
  })

  test('is left until the answer is out, which a slow app must not lose', async () => {
    let atAnswer = 0
    await start(async (request, response) => {
      drain(request)
      while (request.socket.bytesRead < 32 * KIB) await nextTurn()
      for (let turn = 0; turn < 300; turn += 1) await nextTurn()
      atAnswer = request.socket.bytesRead
      response.writeHead(401, { 'Content-Length': 2 }).end('no')
    })
    const { socket, text } = client()
    const ended = once(socket, 'end')
    socket.write(post(1024 * 1024 * KIB))
    void flood(socket)
    await ended
    expect(text()).toContain(REFUSAL)
    expect(atAnswer).toBeLessThan(256 * KIB)
  })

  test('is waited for one second; a body that came whole does not cost the connection', async () => {
    const answered: Request[] = []
    await start((request, response) => {
      if (request.url === '/without-response') Object.assign(request, { res: undefined })
      if (request.url === '/late') {
        response.once('finish', () => drain(request))
        response.writeHead(401, { 'Content-Length': 2 }).end('no')
        return
      }
      refuseAtOnce(request, response)
      if (request.url !== '/whole') return
      // Another listener stops the stream when it has begun.
      response.once('finish', () => request.pause())
      answered.push(request)
    })
    const begun = performance.now()
    const cut = ['/slow', '/without-response', '/late'].map(async (path) => {
      const slow = client()
      slow.socket.write(post(10, path))
      await slow.until('no')
      await once(slow.socket, 'close')
      expect(performance.now() - begun).toBeGreaterThan(900)
    })
    const whole = client()
    whole.socket.write(`${post(3, '/whole')}abc`)
    await whole.until('no')
    await Promise.all(cut)
    // Its second began before theirs ended.
    while (performance.now() - begun < 1100) await nextTurn()
    expect(answered.map(({ readableEnded, complete }) => [readableEnded, complete])).toEqual([[false, true]])
    whole.socket.write(post(0, '/next'))
    await whole.until(REFUSAL, 2)
  })

  test('is nothing where there is no body, or where the app has read it', async () => {
    const left: unknown[] = []
    await start(async (request, response) => {
      if (request.method === 'POST') await once(request.resume(), 'end')
      const before = listeners(request)
      refuseAtOnce(request, response)
      await once(response, 'finish')
      left.push([before, listeners(request)])
    })
    for (const text of [`${post(3)}abc`, 'GET / HTTP/1.1\r\nHost: tests\r\n\r\n']) {
      const { socket, until } = client()
      socket.write(text)
      await until('no')
    }
    expect(left).toHaveLength(2)
    for (const pair of left as [unknown, unknown][]) expect(pair[1]).toEqual(pair[0])
  })

  test('is nothing of a request that is gone, or that an adapter built', async () => {
    await start(refuseAtOnce)
    const headers = { rawHeaders: ['Content-Length', '3'], headers: {} }
    const adapted = Object.assign(Readable.from([Buffer.from('abc')]), headers)
    const gone = Object.assign(new Readable({ read() {} }), { ...headers, socket: { parser: { incoming: {} } } })
    gone.socket.parser.incoming = gone
    gone.destroy()
    for (const request of [adapted, gone]) {
      const before = listeners(request)
      drain(request as unknown as Request)
      expect(listeners(request)).toEqual(before)
      expect(request.readableFlowing).toBeNull()
      expect(request.readableDidRead).toBe(false)
    }
  })
})

test('the HTTP/2 stream of a refused client is closed without an error when the answer is out', async () => {
  const server = createHttp2Server(async (request, response) => {
    // A gate has read some of it: then Node does not close the stream by itself.
    if (request.url === '/begun') await new Promise((resolve) => request.once('data', () => resolve(request.pause())))
    drain(Object.assign(request, { res: response }) as unknown as Request)
    response.writeHead(401).end('no')
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const close = async () => {
    server.close()
    await once(server, 'close')
  }
  running = { close } as RunningServer
  const session = connectHttp2(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
  const answers = await Promise.all(
    ['/begun', '/unread', '/ended'].map(async (path) => {
      const stream = session.request({ ':method': 'POST', ':path': path }).setEncoding('utf8')
      let text = ''
      stream.on('data', (piece) => {
        text += piece
      })
      stream.write('begun')
      if (path === '/ended') stream.end()
      const [[headers]] = await Promise.all([once(stream, 'response'), once(stream, 'close')])
      return [headers[':status'], text, stream.rstCode]
    }),
  )
  const whole = [401, 'no', constants.NGHTTP2_NO_ERROR]
  expect(answers).toEqual([whole, whole, whole])
  session.destroy()
})
