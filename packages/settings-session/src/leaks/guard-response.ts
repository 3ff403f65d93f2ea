import { constants } from 'node:http2'
import { problemAnswer } from '@countersign/core/gate-kit'
import type { Request, Response } from 'express'
import { HeldBytes } from './held-bytes.js'
import { delayHead } from './late-head.js'
import { holdsToken, TokenScanner } from './token-scanner.js'

/** Where a token was, or what kept the body from being read. */
export type Leak = 'header' | 'body' | 'encoded'

type Method = (...given: unknown[]) => unknown
type Callback = (error?: Error) => void

const NOTHING = new Uint8Array()

/**
 * Puts a scanner between an app and its response. What cannot be part of a token is passed on at once; the end that may
 * still become one is held. A token makes the answer a 500 while nothing is sent, and cuts it afterwards.
 *
 * @param report Told of a leak, once, with the status of the answer that takes the place of the app's.
 */
export function guardResponse(
  request: Request,
  response: Response,
  report: (leak: Leak, status: number | undefined) => void,
): void {
  const isHttp2 = request.httpVersionMajor === 2
  const methods = response as unknown as Record<string, Method | undefined>
  const original = {
    write: response.write as unknown as Method,
    end: response.end as unknown as Method,
    flushHeaders: response.flushHeaders as unknown as Method,
  }
  const held = new HeldBytes()
  const scanner = new TokenScanner()
  let state: 'open' | 'ended' | 'answering' | 'stopped' = 'open'

  const isStopped = () => state === 'stopped'
  const head = delayHead(response, isHttp2, () => !headLeaks() || stop('header'))

  const headLeaks = () => {
    const lines = Object.entries(response.getHeaders()).map(([name, value]) => `${name}: ${[value].flat().join('\n')}`)
    return holdsToken([isHttp2 ? '' : response.statusMessage, ...lines].join('\n'))
  }
  const isEncoded = () => {
    const encoding = response.getHeader('content-encoding') ?? 'identity'
    return encoding !== 'identity' && encoding !== '' && request.method !== 'HEAD'
  }

  /** By the response's own `end`: what is mounted inside, such as compression, may wait for the end of its own body. */
  function sendProblem(): void {
    if (response.destroyed) return
    const { status, headers, problem } = problemAnswer(500)
    const body = Buffer.from(JSON.stringify(problem))
    response.statusCode = status
    for (const [name, value] of Object.entries(headers)) response.setHeader(name, value as string)
    response.setHeader('Content-Length', body.length)
    original.end.call(response, body)
  }

  /** So that the client sees that the answer is not whole: HTTP/2 closes a destroyed stream as if it were. */
  function cut(): void {
    const { stream } = response as { stream?: { close(code: number): void } }
    if (isHttp2 && stream !== undefined) stream.close(constants.NGHTTP2_INTERNAL_ERROR)
    else response.destroy()
  }

  function stop(leak: Leak): false {
    held.clear()
    if (head.isSent()) {
      state = 'stopped'
      report(leak, undefined)
      cut()
      return false
    }
    report(leak, 500)
    head.release()
    for (const name of response.getHeaderNames()) response.removeHeader(name)
    if (!isHttp2) response.statusMessage = ''
    // HTTP/2's `end` writes its chunk by the response's `write`.
    state = 'answering'
    sendProblem()
    state = 'stopped'
    return false
  }

  /** Begins the body, and reads what comes of it next. False when it must not be sent. */
  function admit(bytes: Uint8Array): boolean {
    head.commit()
    if (isStopped()) return false
    if (bytes.length > 0 && scanner.position === 0 && isEncoded()) return stop('encoded')
    return scanner.feed(bytes) ? stop('body') : true
  }

  function send(method: Method, given: unknown[]): unknown {
    head.release()
    return method.apply(response, given)
  }

  /** Looks at headers that are sent apart from the head. */
  function guardHeaders(name: string): void {
    const method = methods[name]
    if (typeof method !== 'function') return
    methods[name] = (...given) => {
      if (state !== 'open') return isStopped() ? undefined : method.apply(response, given)
      if (holdsToken(textOf(given))) return void stop('header')
      return method.apply(response, given)
    }
  }
  for (const name of ['addTrailers', 'setTrailer', 'writeEarlyHints', 'writeInformation']) guardHeaders(name)

  Object.assign(response, {
    flushHeaders() {
      if (isStopped()) return
      head.commit()
      if (!isStopped()) send(original.flushHeaders, [])
    },

    write(...given: unknown[]) {
      const { chunk, encoding, done } = argumentsOf(given)
      if (isStopped()) return drop(done)
      const bytes = bytesOf(chunk, encoding)
      // Node says what is wrong with it.
      if (bytes === undefined || state !== 'open') return original.write.apply(response, given)
      if (!admit(bytes)) return drop(done)
      const keep = scanner.position - scanner.keepFrom()
      if (keep === 0 && held.length === 0) return send(original.write, given)
      held.add(bytes)
      const ready = held.take(Math.max(0, held.length - keep))
      if (ready.length > 0) return send(original.write, [ready, undefined, done])
      // A writer that waits for this must write on, or what is held would be held for ever.
      if (done !== undefined) process.nextTick(done)
      return true
    },

    end(...given: unknown[]) {
      const { chunk, encoding, done } = argumentsOf(given)
      if (isStopped()) return finish(response, done)
      const bytes = chunk === undefined || chunk === null ? NOTHING : bytesOf(chunk, encoding)
      if (bytes === undefined || state !== 'open') return original.end.apply(response, given)
      if (!admit(bytes) || (scanner.end() && !stop('body'))) return finish(response, done)
      state = 'ended'
      if (held.length === 0) return send(original.end, given)
      held.add(bytes)
      return send(original.end, [held.take(held.length), undefined, done])
    },
  })
}

/** As `write` and `end` take them. */
function argumentsOf([chunk, encoding, done]: readonly unknown[]) {
  if (typeof chunk === 'function') return { chunk: undefined, encoding: undefined, done: chunk as Callback }
  if (typeof encoding === 'function') return { chunk, encoding: undefined, done: encoding as Callback }
  return { chunk, encoding, done: typeof done === 'function' ? (done as Callback) : undefined }
}

/** The bytes that are sent for a chunk; undefined for what is none. */
function bytesOf(chunk: unknown, encoding: unknown): Uint8Array | undefined {
  if (chunk instanceof Uint8Array) return chunk
  if (typeof chunk !== 'string') return undefined
  return Buffer.from(chunk, Buffer.isEncoding(String(encoding)) ? (encoding as BufferEncoding) : 'utf8')
}

/** Header fields as Node writes them: an object by its own `toString`. */
function textOf(given: unknown[]): string {
  const lines = given.flatMap((part) => (typeof part === 'object' && part !== null ? Object.entries(part) : [[part]]))
  return lines.map((line) => line.join(': ')).join('\n')
}

/** What an app still writes when its answer was stopped: as to a client that has gone. */
function drop(done: Callback | undefined): true {
  if (done !== undefined) process.nextTick(done, new Error('leakGuard has stopped this response'))
  return true
}

function finish(response: Response, done: Callback | undefined): Response {
  if (done === undefined) return response
  if (response.writableFinished || response.destroyed) process.nextTick(done)
  else response.once('finish', done)
  return response
}
