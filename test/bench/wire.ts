import { IncomingMessage, ServerResponse } from 'node:http'
import { Socket } from 'node:net'
import type { Express, Request, Response } from 'express'

/** A request as bytes. Its strings are created each time: a reused one has its hash, and flatters caches. */
export interface Wire {
  readonly method: string
  readonly url: string
  /** Names and values in turn. */
  readonly fields: readonly Buffer[]
  readonly body: Buffer | undefined
}

export function wire(method: string, url: string, headers: Readonly<Record<string, string>>, body?: Buffer): Wire {
  const all = body === undefined ? headers : { ...headers, 'content-length': String(body.length) }
  const fields = Object.entries({ host: 'api.example.com', ...all }).flat()
  return { method, url, fields: fields.map((text) => Buffer.from(text, 'latin1')), body }
}

/** What Node's own HTTP parser calls. */
interface HeaderReader {
  _addHeaderLines(headers: string[], count: number): void
}

/** Nothing is read from it or written to it; Node asks it for its state. */
const socket = new Socket()

/** Makes requests and responses with an app's own prototypes, as Express does for what comes from a server. */
export function messageFactory(app: Express): (wire: Wire) => { request: Request; response: Response } {
  return ({ method, url, fields, body }) => {
    const request = new IncomingMessage(socket)
    request.method = method
    request.url = url
    request.httpVersion = '1.1'
    request.httpVersionMajor = 1
    request.httpVersionMinor = 1
    const headers = fields.map((field) => field.toString('latin1'))
    ;(request as unknown as HeaderReader)._addHeaderLines(headers, headers.length)
    // Node's server looks for Host and Expect before it hands a request on: no middleware is the first to ask for `headers`.
    void request.headers
    if (body !== undefined) request.push(body)
    request.push(null)
    request.complete = true
    const response = new ServerResponse(request)
    const expressRequest = Object.setPrototypeOf(request, app.request) as Request
    const expressResponse = Object.setPrototypeOf(response, app.response) as Response
    expressRequest.originalUrl = url
    expressRequest.res = expressResponse
    expressResponse.req = expressRequest
    return { request: expressRequest, response: expressResponse }
  }
}
