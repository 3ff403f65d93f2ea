import { createServer, IncomingMessage } from 'node:http'
import { Socket } from 'node:net'
import { PassThrough } from 'node:stream'
import { expect, test } from '@jest/globals'
import { offersHttp2Alone, serveAsRequest } from '../src/gate/not-upgraded.js'

function upgradeOf(rawHeaders: string[]): IncomingMessage {
  const request = Object.assign(new IncomingMessage(new Socket()), { method: 'GET', url: '/a', httpVersion: '1.1' })
  request.rawHeaders = rawHeaders
  return request
}

/** What the server's parser reads again; undefined when the upgrade is not served. */
function servedAs(rawHeaders: string[], head = ''): string | undefined {
  const server = createServer()
  const socket = Object.assign(new PassThrough(), { encrypted: false })
  // Node's own listener would read it: here it is the test that does.
  const http = { read: '' }
  socket.unshift = (chunk: Buffer) => {
    http.read += chunk.toString('latin1')
  }
  const isServed = serveAsRequest(server, upgradeOf(rawHeaders), socket, Buffer.from(head, 'latin1'))
  socket.destroy()
  return isServed ? http.read : undefined
}

test.each([
  ['a value', ['Host', 'a', 'X-A', 'b\r\nContent-Length: 30', 'Upgrade', 'echo']],
  ['a value, by a line feed alone', ['Host', 'a', 'Upgrade', 'echo', 'X-A', 'b\nTransfer-Encoding: chunked']],
  ['a name', ['Host', 'a', 'X-A\r\nX-B', 'b', 'Upgrade', 'echo']],
])('an upgrade whose header a lenient parser let break the line in %s is not written again', (_where, rawHeaders) => {
  expect(servedAs(rawHeaders)).toBeUndefined()
})

test('an upgrade is served with its lines byte for byte, without those of Upgrade, and with what followed', () => {
  const rawHeaders = ['Host', 'a', 'UPGRADE', 'echo', 'X-Name', 'caf\u00e9', 'x-name', ' b', 'Upgrade', 'other']
  expect(servedAs(rawHeaders, 'body\u00ff')).toBe(
    'GET /a HTTP/1.1\r\nHost: a\r\nX-Name: caf\u00e9\r\nx-name:  b\r\n\r\nbody\u00ff',
  )
})

test.each<[string | undefined, boolean]>([
  ['h2c', true],
  [' H2C ', true],
  ['websocket, h2c', false],
  ['websocket', false],
  [undefined, false],
])('an offer of HTTP/2 alone is recognised: %s is one: %s', (upgrade, isOne) => {
  expect(offersHttp2Alone(Object.assign(upgradeOf([]), { headers: { upgrade } }))).toBe(isOne)
})
