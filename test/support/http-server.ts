import { once } from 'node:events'
import { createServer, type RequestListener, type Server } from 'node:http'

export interface RunningServer {
  readonly server: Server
  readonly port: number
  /** `http://127.0.0.1:<port>`, without a trailing slash. */
  readonly url: string
  close(): Promise<void>
}

/** Serves an app over real HTTP on a loopback port of its own. */
export async function serve(app: RequestListener, port = 0): Promise<RunningServer> {
  const server = createServer(app).listen(port, '127.0.0.1')
  // Node closes an idle connection after 5 s; a client that a busy machine held up would send into that.
  server.keepAliveTimeout = 60_000
  await once(server, 'listening')
  const address = server.address() as { port: number }
  return {
    server,
    port: address.port,
    url: `http://127.0.0.1:${address.port}`,
    close: async () => {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}
