import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import { type AddressInfo, connect, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'

/** A forward proxy that knows its network's names. */
export interface ConnectProxy {
  readonly port: number
  /** What it was asked to connect to, in order. */
  readonly asked: string[]
  /** `Proxy-Authorization` of each. */
  readonly credentials: (string | undefined)[]
  /** Takes over the answers; undefined gives them back. */
  answer: ((socket: Duplex) => void) | undefined
  close(): Promise<void>
}

/** `network`: the names that it resolves, with their ports, such as `issuer.test:443`, and where they are on this machine. */
export async function startProxy(
  network: Readonly<Record<string, number>>,
  tls?: { readonly key: string; readonly cert: string },
): Promise<ConnectProxy> {
  const sockets = new Set<Duplex>()
  const server: Server = tls === undefined ? createServer() : createTlsServer(tls)
  const proxy: ConnectProxy = {
    get port() {
      return (server.address() as AddressInfo).port
    },
    asked: [],
    credentials: [],
    answer: undefined,
    close: async () => {
      for (const socket of sockets) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
  server.on('connection', (socket: Socket) => sockets.add(socket))
  server.on('connect', (request, socket: Duplex) => {
    const authority = request.url ?? ''
    proxy.asked.push(authority)
    proxy.credentials.push(request.headers['proxy-authorization'])
    socket.on('error', () => undefined)
    if (proxy.answer !== undefined) return proxy.answer(socket)
    const port = network[authority]
    if (port === undefined) return void socket.end('HTTP/1.1 502 Bad Gateway\r\n\r\n')
    const upstream = connect(port, '127.0.0.1', () => {
      socket.write('HTTP/1.1 200 Connection established\r\n\r\n')
      upstream.pipe(socket).pipe(upstream)
    })
    sockets.add(upstream)
    upstream.on('error', () => socket.destroy())
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return proxy
}
