import { once } from 'node:events'
import {
  type ClientHttp2Session,
  connect,
  createSecureServer,
  createServer,
  type Http2Server,
  Http2ServerRequest,
  Http2ServerResponse,
  type Http2Session,
} from 'node:http2'
import { createRequire } from 'node:module'
import type { AddressInfo } from 'node:net'
import express, { type Express } from 'express'
import { expressOn } from './express-on.js'
import { TEST_CERTIFICATE, TEST_KEY } from './test-certificate.js'

// Required, not imported: its types would change those of Express for all tests.
const require = createRequire(import.meta.url)
const express4 = require('express-4') as typeof express
const http2Bridge = require('http2-express-bridge') as (of: typeof express) => Express

/** A way to have Express behind Node's HTTP/2 compatibility API. */
export interface Http2Kind {
  readonly name: string
  readonly isSecure: boolean
  /** The Express that the app is made with. */
  readonly of: typeof express
  makeApp(): Express
}

const express5 = { of: express, makeApp: () => expressOn(Http2ServerRequest.prototype, Http2ServerResponse.prototype) }

export const http2Kinds: readonly Http2Kind[] = [
  { name: 'HTTP/2 without TLS (h2c), Express 5', isSecure: false, ...express5 },
  { name: 'HTTP/2 over TLS, Express 5', isSecure: true, ...express5 },
  {
    name: 'HTTP/2 over TLS, Express 4 with http2-express-bridge',
    isSecure: true,
    of: express4,
    makeApp: () => http2Bridge(express4),
  },
]

export interface RunningHttp2Server {
  readonly server: Http2Server
  readonly port: number
  close(): Promise<void>
}

/** Serves an app that takes the requests of Node's HTTP/2 compatibility API, on a loopback port of its own. */
export async function serveHttp2(app: Express, isSecure: boolean): Promise<RunningHttp2Server> {
  const listener = app as never
  const server = isSecure
    ? createSecureServer({ key: TEST_KEY, cert: TEST_CERTIFICATE }, listener)
    : createServer(listener)
  const sessions = new Set<Http2Session>()
  server.on('session', (session) => sessions.add(session.once('close', () => sessions.delete(session))))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    server,
    port: (server.address() as AddressInfo).port,
    close: async () => {
      for (const session of sessions) session.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}

/** A client's connection, which trusts the certificate of {@link serveHttp2}. */
export function connectHttp2(port: number, isSecure: boolean): ClientHttp2Session {
  return isSecure ? connect(`https://127.0.0.1:${port}`, { ca: TEST_CERTIFICATE }) : connect(`http://127.0.0.1:${port}`)
}
