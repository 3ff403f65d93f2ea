import type { EventEmitter } from 'node:events'
import * as http from 'node:http'
import type { Duplex } from 'node:stream'
import { mayLackLines } from '../request/message.js'

/**
 * Whether a request offers HTTP/2 alone: plain requests of `curl --http2` and of Java's `HttpClient` do. The offer may be
 * ignored (RFC 9113 §3.1 took it back), and no WebSocket begins so.
 */
export function offersHttp2Alone({ headers }: http.IncomingMessage): boolean {
  return headers.upgrade?.trim().toLowerCase() === 'h2c'
}

/**
 * Hands an upgrade that nothing takes back to the server as the request that it is without `Upgrade`: what Node makes of it
 * where a server has no `'upgrade'` listener. Its body, and the requests that follow on the connection, are read as always.
 *
 * False when its header lines cannot be written again as they came, because Node has not kept all of them: without them,
 * the body could be read as another request.
 */
export function serveAsRequest(
  server: EventEmitter,
  request: http.IncomingMessage,
  socket: Duplex & { readonly encrypted?: boolean },
  head: Buffer,
): boolean {
  const { method, url, httpVersion, rawHeaders } = request
  // Only a lenient parser lets line breaks in.
  if (mayLackLines(request) || rawHeaders.some((text) => /[\r\n]/.test(text))) return false
  let lines = `${method} ${url} HTTP/${httpVersion}\r\n`
  for (let i = 0; i < rawHeaders.length; i += 2) {
    if (rawHeaders[i]?.toLowerCase() !== 'upgrade') lines += `${rawHeaders[i]}: ${rawHeaders[i + 1]}\r\n`
  }
  socket.unshift(Buffer.concat([Buffer.from(`${lines}\r\n`, 'latin1'), head]))
  parseAgain(server, socket)
  return true
}

/**
 * Node's own listener for connections is called alone: with the event, which Node's documentation allows, those of the app
 * would run for each request of a connection, and a client could make them add listeners to one socket without end.
 */
function parseAgain(server: EventEmitter, socket: Duplex & { readonly encrypted?: boolean }): void {
  const { _connectionListener: listen } = http as { _connectionListener?: (this: EventEmitter, socket: Duplex) => void }
  if (listen !== undefined) listen.call(server, socket)
  else server.emit(socket.encrypted === true ? 'secureConnection' : 'connection', socket)
}
