import { request as httpRequest, type IncomingMessage } from 'node:http'
import { Readable } from 'node:stream'
import { REACHED } from '../handlers.js'

/** One request as it was sent, and the status that came back. */
export interface Step {
  readonly method: string
  readonly path: string
  readonly status: number
}

/** What is sent: fetch's own options, and header fields as pairs where one comes twice. */
export interface Sent {
  readonly method?: string | undefined
  readonly headers?: RequestInit['headers'] | undefined
  readonly body?: string | URLSearchParams | undefined
}

/** Sends requests to one of the two apps, and keeps what was sent. */
export interface Sender {
  send(url: string | URL, sent?: Sent): Promise<Response>
  readonly steps: readonly Step[]
  /** The last request, as it goes over the wire; secrets are shortened. */
  lastRequest(): string
}

/**
 * A sender to the app on a port of this machine. The Host stays that of the URL: so both apps get the same bytes, and
 * each takes them for its own.
 */
export function senderTo(port: number): Sender {
  const steps: Step[] = []
  let last = ''
  return {
    steps,
    lastRequest: () => last,
    async send(url, { method = 'GET', headers = [], body } = {}) {
      const { host, pathname, search } = new URL(url)
      const fields = [['Host', host], ...pairsOf(headers)]
      const text = body === undefined ? undefined : String(body)
      if (text !== undefined) fields.push(['Content-Length', String(Buffer.byteLength(text))])
      if (body instanceof URLSearchParams) fields.push(['Content-Type', 'application/x-www-form-urlencoded'])
      const path = `${pathname}${search}`
      last = shown(method, path, fields, text)
      const message = await exchange(port, method, path, fields.flat(), text)
      const status = message.statusCode ?? 0
      steps.push({ method, path: shorten(path), status })
      return responseOf(message, status)
    },
  }
}

function pairsOf(headers: NonNullable<Sent['headers']>): [string, string][] {
  if (Array.isArray(headers)) return headers.map(([name = '', value = '']) => [name, value])
  return headers instanceof Headers ? Array.from(headers) : Object.entries(headers as Record<string, string>)
}

function exchange(port: number, method: string, path: string, headers: string[], body: string | undefined) {
  return new Promise<IncomingMessage>((resolve, reject) => {
    httpRequest({ host: '127.0.0.1', port, method, path, headers, agent: false }, resolve).on('error', reject).end(body)
  })
}

function responseOf(message: IncomingMessage, status: number): Response {
  const headers = new Headers()
  for (const [index, name] of message.rawHeaders.entries()) {
    if (index % 2 === 0) headers.append(name, message.rawHeaders[index + 1] ?? '')
  }
  const hasBody = status !== 204 && status !== 304
  if (!hasBody) message.resume()
  return new Response(hasBody ? (Readable.toWeb(message) as ReadableStream) : null, { status, headers })
}

/** Whether an answer is one of the protected handler. */
export const isReached = (response: Response): boolean => response.headers.has(REACHED)

function shown(method: string, path: string, fields: readonly string[][], body: string | undefined): string {
  const lines = fields.map(([name, value = '']) => `${name}: ${shorten(value)}`)
  return [`${method} ${shorten(path)} HTTP/1.1`, ...lines, ...(body === undefined ? [] : ['', shorten(body)])].join(
    '\n',
  )
}

/** Long values without what makes them usable. */
const shorten = (text: string): string => text.replace(/[\w+/=.~*%-]{41,}/g, (value) => `${value.slice(0, 20)}…`)
