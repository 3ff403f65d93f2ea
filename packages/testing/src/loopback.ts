import { once } from 'node:events'
import { createServer, type RequestListener, type Server } from 'node:http'

/** An HTTP server on a loopback port. */
export interface Loopback {
  readonly server: Server
  readonly port: number
  /** `http://127.0.0.1:<port>`, without a trailing slash. */
  readonly url: string
  close(): Promise<void>
}

/** Serves a handler on a loopback port, by default one that is free. */
export async function listen(handler: RequestListener, port = 0): Promise<Loopback> {
  const server = createServer(handler).listen(port, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address() as { port: number }
  return {
    server,
    port: address.port,
    url: `http://127.0.0.1:${address.port}`,
    close: async () => {
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      await closed
    },
  }
}
