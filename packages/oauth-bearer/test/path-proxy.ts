import { request as ask } from 'node:http'
import { type RunningServer, serve } from '../../../test/support/http-server.js'

/**
 * A reverse proxy before the app on this port that passes on what begins with one of these paths, with another beginning.
 * Everything else is 404, as on a host that has more than one app.
 */
export function startPathProxy(routes: Readonly<Record<string, string>>, port: number): Promise<RunningServer> {
  return serve((request, response) => {
    const url = request.url ?? '/'
    const from = Object.keys(routes).find((path) => url === path || url.startsWith(`${path}/`))
    if (from === undefined) return void response.writeHead(404).end()
    const path = `${routes[from]}${url.slice(from.length)}` || '/'
    const { method, headers } = request
    const onward = ask({ host: '127.0.0.1', port, path, method, headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers)
      answer.pipe(response)
    })
    onward.on('error', () => response.destroy())
    response.on('close', () => onward.destroy())
    request.pipe(onward)
  })
}
