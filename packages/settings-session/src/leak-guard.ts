import { type Audit, audit as defaultAudit, type Middleware } from '@countersign/core'
import { describeRequest, option, problemAnswer, resolveOptions } from '@countersign/core/gate-kit'
import type { Request, RequestHandler, Response } from 'express'
import { reportChange } from './events.js'
import { TOKEN_ANYWHERE } from './tokens.js'

/** Options of {@link leakGuard}. */
export interface LeakGuardOptions {
  /** Default: the process-wide emitter, `audit`. */
  readonly audit?: Audit | undefined
  /** The route that audit events name. */
  readonly route?: string | undefined
  /** Bytes of a body that are held until it is whole; a longer body is passed on in pieces. Default 1 MiB. */
  readonly maxHeldBytes?: number | undefined
}

const RULES = {
  audit: option.port<Audit>('an emitter made by createAudit()', 'emit', 'subscribe').default(defaultAudit),
  route: option.string(),
  maxHeldBytes: option.integer(0, 2 ** 30).default(1024 * 1024),
}

/** What may be the start of a token, at the end of a chunk. */
const BEGINNING = /[lstd](?:1(?:\.[A-Za-z0-9_.-]{0,61})?)?$/

/**
 * Stops a response that holds a link or a session token, in its headers or its body: 500 in its place, and an audit
 * event. For the routes that agents reach; mount it before their handlers and after what compresses.
 *
 * A body is held until it is whole, or until it is a stream (its headers are flushed, or it is longer than
 * `maxHeldBytes`). A stream is cut before the first token.
 *
 * @throws {OptionError} at creation.
 */
export function leakGuard(options: LeakGuardOptions = {}): Middleware {
  const { audit, route, maxHeldBytes } = resolveOptions('leakGuard', options, RULES)
  return function countersignLeakGuard(request, response, next) {
    const report = (where: 'header' | 'body', status: number | undefined) => {
      const http = describeRequest(request, route, status)
      reportChange(audit, 'settings.leak.stopped', { http, attributes: { where } })
    }
    guard(request, response, maxHeldBytes, report)
    next()
  } satisfies RequestHandler as Middleware
}

type Chunk = string | Uint8Array
type Report = (where: 'header' | 'body', status: number | undefined) => void

function guard(request: Request, response: Response, maxHeldBytes: number, report: Report): void {
  // Node writes the head through the response's own `writeHead` when the first byte goes out.
  let isSending = false
  const sending =
    <A extends unknown[], R>(method: (...args: A) => R) =>
    (...args: A): R => {
      isSending = true
      try {
        return method.apply(response, args)
      } finally {
        isSending = false
      }
    }
  const original = {
    write: sending(response.write as (chunk: Chunk) => boolean),
    end: sending(response.end as (chunk?: Chunk) => Response),
    flushHeaders: sending(response.flushHeaders),
    writeHead: response.writeHead as (...args: unknown[]) => Response,
  }
  // Bytes as Latin-1, one character each: what is scanned is what is sent.
  let held = ''
  let isStream = false
  let isStopped = false

  const bytesOf = (chunk: unknown, encoding: unknown): string =>
    typeof chunk === 'string'
      ? Buffer.from(chunk, typeof encoding === 'string' ? (encoding as BufferEncoding) : 'utf8').toString('latin1')
      : Buffer.from(chunk as Uint8Array).toString('latin1')

  const headersLeak = () =>
    Object.values(response.getHeaders()).some((value) => TOKEN_ANYWHERE.test([value].flat().join('\n')))

  function stop(where: 'header' | 'body'): void {
    isStopped = true
    held = ''
    if (response.headersSent) {
      report(where, undefined)
      response.destroy()
      return
    }
    report(where, 500)
    for (const name of response.getHeaderNames()) response.removeHeader(name)
    const answer = problemAnswer(500)
    response.statusCode = 500
    response.statusMessage = ''
    for (const [name, value] of Object.entries(answer.headers)) response.setHeader(name, value as string)
    original.end(request.method === 'HEAD' ? undefined : JSON.stringify(answer.problem))
  }

  /** Sends what cannot be part of a token. False when the client must read it before more comes (`'drain'`). */
  function pass(isLast: boolean): boolean {
    if (!response.headersSent && headersLeak()) stop('header')
    else if (TOKEN_ANYWHERE.test(held)) stop('body')
    if (isStopped) return true
    const keep = isLast ? held.length : (BEGINNING.exec(held)?.index ?? held.length)
    const ready = held.slice(0, keep)
    held = held.slice(keep)
    return ready === '' || original.write(Buffer.from(ready, 'latin1'))
  }

  Object.assign(response, {
    writeHead(status: number, ...rest: readonly unknown[]) {
      if (isSending) return original.writeHead.call(response, status, ...rest)
      const [message] = typeof rest[0] === 'string' ? (rest as [string]) : []
      response.statusCode = status
      if (message !== undefined) response.statusMessage = message
      for (const [name, value] of headerPairs(rest.at(-1))) response.setHeader(name, value)
      if (headersLeak()) stop('header')
      return response
    },
    flushHeaders() {
      isStream = true
      if (isStopped) return
      pass(false)
      if (!isStopped) original.flushHeaders()
    },
    write(chunk: unknown, ...rest: readonly unknown[]) {
      const done = rest.find((item): item is () => void => typeof item === 'function')
      if (done !== undefined) process.nextTick(done)
      if (isStopped) return true
      held += bytesOf(chunk, rest[0])
      isStream ||= held.length > maxHeldBytes
      return isStream ? pass(false) : true
    },
    end(...given: readonly unknown[]) {
      const [chunk, encoding] = typeof given[0] === 'function' ? [] : given
      const done = given.find((item): item is () => void => typeof item === 'function')
      if (done !== undefined) response.once('finish', done)
      if (isStopped) return response
      if (chunk !== undefined && chunk !== null) held += bytesOf(chunk, encoding)
      if (isStream) {
        pass(true)
        return isStopped ? response : original.end()
      }
      if (headersLeak()) stop('header')
      else if (TOKEN_ANYWHERE.test(held)) stop('body')
      else original.end(held === '' ? undefined : Buffer.from(held, 'latin1'))
      return response
    },
  })
}

/** The headers that `writeHead` was given: an object, or a flat list. */
function headerPairs(headers: unknown): readonly (readonly [string, string | string[]])[] {
  if (headers === null || typeof headers !== 'object') return []
  if (!Array.isArray(headers)) return Object.entries(headers) as [string, string][]
  return headers.flatMap((name, index) => (index % 2 === 0 ? [[String(name), headers[index + 1] as string]] : []))
}
