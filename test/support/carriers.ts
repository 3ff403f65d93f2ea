import { once } from 'node:events'
import { IncomingMessage, ServerResponse } from 'node:http'
import type { IncomingHttpHeaders, OutgoingHttpHeaders } from 'node:http2'
import { configure } from '@codegenie/serverless-express'
import express, { type Express, type Router } from 'express'
import inject from 'light-my-request'
import serverless from 'serverless-http'
import { expressOn } from './express-on.js'
import { serve } from './http-server.js'
import { connectFrames, type Line } from './http2-frames.js'
import { connectHttp2, type Http2Kind, http2Kinds, serveHttp2 } from './http2-server.js'
import { wire } from './wire.js'

/** A request before anything carries it. */
export interface Parcel {
  readonly method: string
  /** The path with its query. */
  readonly path: string
  /** A list is as many lines. */
  readonly headers: Readonly<Record<string, string | readonly string[]>>
  readonly body?: Buffer | undefined
}

export interface Received {
  readonly status: number
  readonly text: string
}

/** What carries requests to an app. */
export interface Carrier {
  send(parcel: Parcel): Promise<Received>
  /** Sends a request without a body whose fields the client of `send` would not send. Of the answer nothing is read. */
  sendLines?(parcel: Parcel): Promise<void>
  close(): Promise<void>
}

/** Makes routes with an Express. */
export type Routes = (of: typeof express) => Router

export interface CarrierKind {
  readonly name: string
  /** Whether the app can tell that a field came in two lines. */
  readonly tellsLines: boolean
  /** Whether two lines come as one, joined by a comma, that is said to have come so. */
  readonly joinsLines?: boolean
  /** Whether the sender's framing fields reach the app, whatever the body is. */
  readonly takesFraming: boolean
  /** Whether a body may be any bytes, and not text alone. */
  readonly carriesBytes?: boolean
  /** Starts an app with these routes, made with the Express that it runs on. */
  start(routes: Routes): Promise<Carrier>
}

type Invoke = (event: object) => Promise<object>

const linesOf = (headers: Parcel['headers']) =>
  Object.entries(headers).map(([name, value]) => [name, [value].flat()] as const)
const nothing = async (): Promise<void> => undefined

/** An event of an API Gateway's REST API (payload format 1.0). */
function restEvent({ method, path, headers, body }: Parcel, isBase64Encoded: boolean): object {
  const { pathname, searchParams } = new URL(path, 'http://x')
  const names = [...new Set(searchParams.keys())]
  return {
    resource: '/{proxy+}',
    path: pathname,
    httpMethod: method,
    headers: Object.fromEntries(linesOf(headers).map(([name, lines]) => [name, lines.at(-1)])),
    multiValueHeaders: Object.fromEntries(linesOf(headers)),
    queryStringParameters: names.length === 0 ? null : Object.fromEntries(searchParams),
    multiValueQueryStringParameters:
      names.length === 0 ? null : Object.fromEntries(names.map((name) => [name, searchParams.getAll(name)])),
    requestContext: { identity: { sourceIp: '203.0.113.7' }, requestId: 'r1', stage: 'prod' },
    body: body === undefined ? null : body.toString(isBase64Encoded ? 'base64' : 'utf8'),
    isBase64Encoded,
  }
}

/** An event of an API Gateway's HTTP API, or of a function's URL (payload format 2.0). */
function httpEvent({ method, path, headers, body }: Parcel, isBase64Encoded: boolean): object {
  const { pathname, search } = new URL(path, 'http://x')
  const { cookie, ...others } = Object.fromEntries(linesOf(headers).map(([name, lines]) => [name.toLowerCase(), lines]))
  return {
    version: '2.0',
    routeKey: '$default',
    rawPath: pathname,
    rawQueryString: search.slice(1),
    ...(cookie === undefined ? {} : { cookies: cookie.flatMap((line) => line.split('; ')) }),
    headers: Object.fromEntries(Object.entries(others).map(([name, lines]) => [name, lines?.join(',')])),
    requestContext: { http: { method, path: pathname, sourceIp: '203.0.113.7' }, requestId: 'r1', stage: '$default' },
    ...(body === undefined ? {} : { body: body.toString(isBase64Encoded ? 'base64' : 'utf8') }),
    isBase64Encoded,
  }
}

function lambda(
  name: string,
  adapt: (app: Express) => Invoke,
  event: typeof restEvent,
  isBase64Encoded: boolean,
  lines: Pick<CarrierKind, 'tellsLines' | 'joinsLines'>,
): CarrierKind {
  return {
    name: `${name}, ${event === restEvent ? 'event v1' : 'event v2'}, body in ${isBase64Encoded ? 'base64' : 'text'}`,
    ...lines,
    takesFraming: true,
    carriesBytes: isBase64Encoded,
    start: async (routes) => {
      const invoke = adapt(express().use(routes(express)))
      return {
        send: async (parcel) => {
          const answer = (await invoke(event(parcel, isBase64Encoded))) as {
            statusCode: number
            body?: string
            isBase64Encoded?: boolean
          }
          const { statusCode, body = '', isBase64Encoded: isEncoded = false } = answer
          return { status: statusCode, text: isEncoded ? Buffer.from(body, 'base64').toString() : body }
        },
        close: nothing,
      }
    },
  }
}

const viaServerlessHttp = (app: Express): Invoke => {
  const handler = serverless(app)
  return (event) => handler(event, {})
}

const viaCodegenie = (app: Express): Invoke => {
  const handler = configure({ app }) as unknown as (event: object, context: object) => Promise<object>
  return (event) => handler(event, {})
}

/** A client of HTTP/1.1. */
export const sendHttp1 =
  (port: number): Carrier['send'] =>
  ({ method, path, headers, body }) => {
    const lines = Object.fromEntries(linesOf(headers).map(([name, values]) => [name, [...values]]))
    const length: Record<string, string> = body === undefined ? {} : { 'content-length': String(body.length) }
    return wire(port, { method, path, headers: { ...length, ...lines }, body })
  }

/** HTTP/1.1, by the server of the runtime. */
export function http1(name: string, of: typeof express): CarrierKind {
  return {
    name,
    tellsLines: true,
    takesFraming: false,
    start: async (routes) => {
      const { port, close } = await serve(of().use(routes(of)))
      return { send: sendHttp1(port), close }
    },
  }
}

const lightMyRequest: CarrierKind = {
  name: 'light-my-request',
  tellsLines: true,
  joinsLines: true,
  takesFraming: true,
  start: async (routes) => {
    const app = expressOn(IncomingMessage.prototype, ServerResponse.prototype).use(routes(express))
    return {
      send: async ({ method, path, headers, body }) => {
        const lines = Object.fromEntries(
          linesOf(headers).map(([name, values]) => [name, values.length === 1 ? values[0] : [...values]]),
        )
        const answer = await inject(app as never, {
          method: method as 'POST',
          url: path,
          headers: lines as Record<string, string>,
          ...(body === undefined ? {} : { payload: body }),
        })
        return { status: answer.statusCode, text: answer.payload }
      },
      close: nothing,
    }
  },
}

/** HTTP/2 over a connection of its own, in clear text or over TLS. */
function http2({ name, isSecure, makeApp, of }: Http2Kind): CarrierKind {
  return {
    name,
    tellsLines: true,
    takesFraming: false,
    start: async (routes) => {
      const { port, close } = await serveHttp2(makeApp().use(routes(of)), isSecure)
      const session = connectHttp2(port, isSecure)
      return {
        send: async ({ method, path, headers, body }) => {
          const length: OutgoingHttpHeaders = body === undefined ? {} : { 'content-length': body.length }
          const stream = session.request({
            ':method': method,
            ':path': path,
            ...length,
            ...(headers as OutgoingHttpHeaders),
          })
          // In two pieces, as an upload comes.
          if (body !== undefined && body.length > 1) {
            stream.write(body.subarray(0, 1))
            await new Promise(setImmediate)
          }
          stream.end(body === undefined ? undefined : body.subarray(Math.min(1, body.length - 1)))
          const [answer] = (await once(stream, 'response')) as [IncomingHttpHeaders & { ':status'?: number }]
          let text = ''
          for await (const chunk of stream) text += String(chunk)
          return { status: answer[':status'] ?? 0, text }
        },
        sendLines: async ({ method, path, headers }) => {
          const scheme = isSecure ? 'https' : 'http'
          const pseudo = { ':method': method, ':path': path, ':scheme': scheme, ':authority': `127.0.0.1:${port}` }
          const client = await connectFrames(port, isSecure)
          const lines = linesOf(headers).flatMap(([name, values]) => values.map((value): Line => [name, value]))
          client.open([...Object.entries(pseudo), ...lines], true)
          await client.answered
          client.destroy()
        },
        close: async () => {
          session.close()
          await close()
        },
      }
    },
  }
}

/** Real connections, and what injects requests into an app. */
const direct: readonly CarrierKind[] = [lightMyRequest, http1('HTTP/1.1', express), ...http2Kinds.map(http2)]

const variants = [restEvent, httpEvent].flatMap((event) => [false, true].map((isBase64) => [event, isBase64] as const))

/** `serverless-http`. It keeps the last of two lines of a v1 event, and throws the others away. */
const serverlessHttp: readonly CarrierKind[] = variants.map(([event, isBase64]) =>
  lambda('serverless-http', viaServerlessHttp, event, isBase64, { tellsLines: event === httpEvent }),
)

/** `@codegenie/serverless-express`. */
const codegenie: readonly CarrierKind[] = variants.map(([event, isBase64]) =>
  lambda('@codegenie/serverless-express', viaCodegenie, event, isBase64, { tellsLines: true, joinsLines: true }),
)

/** All that carries requests to the apps of the tests, in one process. */
export const carriers: readonly CarrierKind[] = [...direct, ...serverlessHttp, ...codegenie]
