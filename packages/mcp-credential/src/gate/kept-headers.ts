import { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'

/** Where a request of Node's keeps what it makes of its raw lines. Nothing is there until it is first asked for. */
export interface KeptHeaders {
  readonly headers: symbol
  readonly headersDistinct: symbol
  /** How many of the raw texts both are made of. */
  readonly count: symbol
}

/**
 * Node's names for them, found by what they do and not by what they are called: undefined on a Node that keeps its headers in
 * another way.
 */
export const keptHeaders: KeptHeaders | undefined = findKeptHeaders()

function findKeptHeaders(): KeptHeaders | undefined {
  for (const count of Object.getOwnPropertySymbols(probe())) {
    const request = probe()
    const fields = request as unknown as Record<symbol, unknown>
    if (fields[count] !== 0) continue
    fields[count] = 4
    const { headers, headersDistinct } = request
    const isOfTwo =
      headers.b === '2' && headersDistinct.b?.[0] === '2' && !('c' in headers) && !('c' in headersDistinct)
    const holding = (value: unknown) => Object.getOwnPropertySymbols(request).find((name) => fields[name] === value)
    const [first, second] = [holding(headers), holding(headersDistinct)]
    if (isOfTwo && first !== undefined && second !== undefined)
      return { headers: first, headersDistinct: second, count }
  }
  return undefined
}

function probe(): IncomingMessage {
  const request = new IncomingMessage(null as unknown as Socket)
  request.rawHeaders = ['A', '1', 'B', '2', 'C', '3']
  return request
}
