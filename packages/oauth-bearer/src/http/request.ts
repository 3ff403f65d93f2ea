import { type Agent, request as httpRequest, type IncomingHttpHeaders } from 'node:http'
import { request as httpsRequest } from 'node:https'
import type { Destination } from './destination.js'

/** Why an answer could not be had. */
export type FetchFailure = 'connection' | 'timeout' | 'too_large' | 'encoded' | 'status' | 'not_json' | 'invalid'

/** An answer that could not be had. The message holds nothing of what the other side said. */
export class FetchError extends Error {
  override readonly name = 'FetchError'
  constructor(
    readonly failure: FetchFailure,
    /** Of the answer, when there was one. */
    readonly status?: number,
    /** A system error's, e.g. `ECONNREFUSED`. */
    readonly code?: string,
  ) {
    super(`${failure}${status === undefined ? '' : ` ${status}`}${code === undefined ? '' : ` ${code}`}`)
  }
}

export interface FetchOptions {
  readonly method?: 'GET' | 'POST'
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
  /** For all of it: connecting, waiting, and the body to its last byte. */
  readonly timeoutMs: number
  readonly maxBytes: number
  readonly agent?: Agent | false
}

export interface FetchedAnswer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
}

/**
 * One HTTP request: no redirects, no compression, a deadline and a size limit that count the body in.
 *
 * @throws {FetchError} by rejection.
 */
export function fetchBounded({ url, lookup }: Destination, options: FetchOptions): Promise<FetchedAnswer> {
  const { method = 'GET', headers, body, timeoutMs, maxBytes, agent = false } = options
  return new Promise((resolve, reject) => {
    const send = url.protocol === 'https:' ? httpsRequest : httpRequest
    const length = body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) }
    const request = send(url, {
      method,
      agent,
      lookup,
      headers: { accept: 'application/json', 'accept-encoding': 'identity', ...length, ...headers },
    })
    const timer = setTimeout(() => fail(new FetchError('timeout')), timeoutMs)

    function fail(error: FetchError): void {
      clearTimeout(timer)
      request.destroy()
      reject(error)
    }

    const broken = (error: NodeJS.ErrnoException) => fail(new FetchError('connection', undefined, error.code))
    request.on('error', broken)
    request.on('response', (response) => {
      const status = response.statusCode ?? 0
      if ((response.headers['content-encoding'] ?? 'identity') !== 'identity') {
        return fail(new FetchError('encoded', status))
      }
      const chunks: Buffer[] = []
      let received = 0
      response.on('error', broken)
      response.on('data', (chunk: Buffer) => {
        received += chunk.length
        if (received > maxBytes) fail(new FetchError('too_large', status))
        else chunks.push(chunk)
      })
      response.on('end', () => {
        clearTimeout(timer)
        resolve({ status, headers: response.headers, body: Buffer.concat(chunks) })
      })
    })
    request.end(body)
  })
}
