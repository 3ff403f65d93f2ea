import { request as httpRequest, type IncomingHttpHeaders } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { startDeadline } from '@countersign/core/gate-kit'
import type { Destination } from './destination.js'
import type { Connect } from './network.js'

/** Why a request has no usable answer. */
export type FetchFailure = 'connection' | 'timeout' | 'too_large' | 'encoded' | 'status' | 'not_json' | 'invalid'

/** A request without a usable answer. Its message contains nothing that the other side sent. */
export class FetchError extends Error {
  override readonly name = 'FetchError'
  readonly failure: FetchFailure
  /** The answer's status, if there was an answer. */
  readonly status: number | undefined
  /** A system error's code, such as `ECONNREFUSED`, or the name of the invalid member. */
  readonly code: string | undefined

  constructor(failure: FetchFailure, status?: number, code?: string) {
    super(`${failure}${status === undefined ? '' : ` ${status}`}${code === undefined ? '' : ` ${code}`}`)
    this.failure = failure
    this.status = status
    this.code = code
  }
}

/** How {@link fetchBounded} asks. */
export interface FetchOptions {
  readonly method?: 'GET' | 'POST'
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
  /** For everything: connecting, waiting, and the whole body. */
  readonly timeoutMs: number
  readonly maxBytes: number
  /** Default: a connection of its own, as Node makes it. */
  readonly connect?: Connect | undefined
  readonly signal?: AbortSignal | undefined
}

/** An answer, whatever its status. */
export interface FetchedAnswer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
}

/**
 * Sends one HTTP request: no redirects, no compression, and a deadline and a size limit that include the body.
 *
 * @throws {FetchError} by rejection.
 */
export function fetchBounded({ url, lookup }: Destination, options: FetchOptions): Promise<FetchedAnswer> {
  const { method = 'GET', headers, body, timeoutMs, maxBytes, connect, signal } = options
  return new Promise((resolve, reject) => {
    const send = url.protocol === 'https:' ? httpsRequest : httpRequest
    const length = body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) }
    const request = send(url, {
      method,
      ...(connect?.(url) ?? { agent: false }),
      ...(lookup === undefined ? {} : { lookup }),
      ...(signal === undefined ? {} : { signal }),
      headers: { accept: 'application/json', 'accept-encoding': 'identity', ...length, ...headers },
    })
    const endDeadline = startDeadline(timeoutMs, () => fail(new FetchError('timeout')))

    function fail(error: FetchError): void {
      endDeadline()
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
        endDeadline()
        resolve({ status, headers: response.headers, body: Buffer.concat(chunks) })
      })
    })
    request.end(body)
  })
}
