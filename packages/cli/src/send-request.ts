import { once } from 'node:events'
import { request as httpRequest, type IncomingMessage } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { type CommandError, connectionProblem, unavailableError } from './errors.js'

/** A request as it is sent. `fetch` would normalise its path, and the signature covers the raw one. */
export interface RawRequest {
  readonly method: string
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: Uint8Array
}

/** The path and query of a URL, unchanged. */
export function rawTarget(url: string): string {
  const rest = (url.split('#', 1)[0] as string).replace(/^[A-Za-z][A-Za-z0-9+.-]*:\/\/[^/?]*/, '')
  return rest.startsWith('/') ? rest : `/${rest}`
}

/** Sends a request and resolves with the head of the answer. Redirects are not followed. */
export async function sendRequest(
  { method, url, headers, body }: RawRequest,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<IncomingMessage> {
  const { protocol, hostname, port, host } = new URL(url)
  const send = protocol === 'https:' ? httpsRequest : httpRequest
  const length = body.length > 0 || !/^(GET|HEAD|DELETE|OPTIONS)$/.test(method) ? { 'content-length': body.length } : {}
  const request = send({
    method,
    hostname: hostname.replace(/^\[|\]$/g, ''),
    port,
    path: rawTarget(url),
    headers: { ...headers, ...length },
    signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]),
  })
  try {
    request.end(body)
    const [response] = (await once(request, 'response')) as [IncomingMessage]
    return response
  } catch (error) {
    throw unreachable(host, error, timeoutMs)
  }
}

/** The error of a server that did not answer. */
export function unreachable(host: string, error: unknown, timeoutMs: number): CommandError {
  const { code, name } = error as { code?: string; name?: string }
  const isTimeout = name === 'TimeoutError' || name === 'AbortError' || code === 'ABORT_ERR'
  const why = isTimeout ? `no answer within ${timeoutMs / 1000} s` : connectionProblem(error)
  return unavailableError(`${host} cannot be reached (${why}): check the URL and that the server runs`, error)
}
