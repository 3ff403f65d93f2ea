import { once } from 'node:events'
import { createServer } from 'node:http'

/** Serves an app on a loopback port of its own. */
export async function serve(app) {
  const server = createServer(app).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const close = async () => {
    server.closeAllConnections()
    server.close()
    await once(server, 'close')
  }
  return { server, base: `http://127.0.0.1:${server.address().port}`, close }
}
