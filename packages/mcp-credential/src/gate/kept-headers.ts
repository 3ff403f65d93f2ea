import { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'

/** Where a request of Node's keeps `headersDistinct`, and nothing before it was first asked for, and of how many raw texts it is made. */
export interface KeptHeaders {
  readonly headersDistinct: symbol
  readonly count: symbol
}

/**
 * Node's symbols for them, found by what they do and not by what they are called: undefined on a Node that keeps its headers in
 * another way, and on older releases that choke on a field called `__proto__` or `constructor`.
 */
export const keptHeaders: KeptHeaders | undefined = findKeptHeaders()

function findKeptHeaders(): KeptHeaders | undefined {
  try {
    return Object.getOwnPropertySymbols(probe()).map(keptWith).find(Boolean)
  } catch {
    return undefined
  }
}

/** With the count at two fields, the first two must be there, and not the third. */
function keptWith(count: symbol): KeptHeaders | undefined {
  const request = probe()
  const fields = request as unknown as Record<symbol, unknown>
  if (fields[count] !== 0) return undefined
  fields[count] = 4
  const { headersDistinct } = request
  if (headersDistinct.a?.[0] !== '1' || 'c' in headersDistinct) return undefined
  const name = Object.getOwnPropertySymbols(request).find((symbol) => fields[symbol] === headersDistinct)
  return name === undefined ? undefined : { headersDistinct: name, count }
}

function probe(): IncomingMessage {
  const request = new IncomingMessage(null as unknown as Socket)
  request.rawHeaders = ['A', '1', '__proto__', '2', 'C', '3']
  return request
}
