import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { xHeaders } from '@countersign/hmac'
import { afterEach, expect, test } from '@jest/globals'
import type { RequestHandler } from 'express'
import { type Harness, hmacApp, signed } from './harness.js'

let app: Harness
afterEach(() => app.close())

/** What a handler behind the gate reads of the stream. */
const echo: RequestHandler = async (request, response) => {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  response.end(`read:${Buffer.concat(chunks).toString()}`)
}

/** Sends pieces over one socket, each when the server has read the one before, and returns the first answer. */
async function exchange(server: Server, ...pieces: readonly string[]): Promise<string> {
  const accepted = once(server, 'connection') as Promise<[Socket]>
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1')
  const answer = once(socket, 'data') as Promise<[Buffer]>
  const [peer] = await accepted
  let sent = 0
  for (const piece of pieces) {
    socket.write(piece)
    sent += Buffer.byteLength(piece)
    while (peer.bytesRead < sent && !peer.destroyed) await new Promise((resolve) => setImmediate(resolve))
    // What was read has been parsed and met the gate.
    for (let turn = 0; turn < 3; turn += 1) await new Promise((resolve) => setImmediate(resolve))
  }
  const [chunk] = await answer
  socket.destroy()
  return chunk.toString()
}

const signedLines = (method: string, body: Uint8Array) =>
  Object.entries(signed({ method, body, format: xHeaders(), version: 3, now: app.clock.now() }))
    .map(([name, value]) => `${name}: ${value}\r\n`)
    .join('')

test.each([
  ['1100 lines', undefined, 1100, '401'],
  ['as many as the server keeps', 60, 60, '401'],
  ['fewer than the server keeps', 2000, 1100, '200'],
  ['as many as there are, of a server that keeps all', 0, 1100, '200'],
])(
  'a body whose length stands among lines that Node drops is not taken for none: %s',
  async (_name, most, count, status) => {
    app = await hmacApp({ formats: [xHeaders()], after: [echo] })
    if (most !== undefined) app.server.maxHeadersCount = most
    const junk = 'a:\r\n'.repeat(count)
    const body = status === '401' ? 'hello' : ''
    const head = `GET /jobs?a=1 HTTP/1.1\r\nHost: x\r\n${signedLines('GET', Buffer.alloc(0))}${junk}`
    const answer = await exchange(app.server, `${head}Content-Length: ${body.length}\r\n\r\n${body}`)
    // Later versions of Node refuse such a request themselves, and the gate never sees it.
    if (status === '401' && answer.startsWith('HTTP/1.1 431 ')) return expect(app.events).toEqual([])
    expect(answer).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `))
    expect(app.last()).toBe(status === '401' ? 'malformed' : 'granted')
  },
)

test('a body in chunks is not whole when as much of it has come as a Content-Length beside them says', async () => {
  app = await hmacApp({ formats: [xHeaders()], after: [echo] })
  // The strict parser refuses both at once; the app's user has opted out of it.
  const lenient = createServer({ insecureHTTPParser: true }, (request, response) =>
    app.server.emit('request', request, response),
  )
  lenient.listen(0, '127.0.0.1')
  await once(lenient, 'listening')
  const head = `POST /jobs?a=1 HTTP/1.1\r\nHost: x\r\n${signedLines('POST', Buffer.from('hello'))}`
  const both = 'Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n'
  const answer = await exchange(lenient, `${head}${both}5\r\nhello\r\n`, '6\r\n-EVIL!\r\n0\r\n\r\n')
  expect(answer).toMatch(/^HTTP\/1\.1 401 /)
  expect(answer).not.toContain('EVIL')
  expect(app.last()).toBe('bad_signature')
  lenient.closeAllConnections()
  lenient.close()
})
