import { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'

/** Where Node keeps a request's `headersDistinct`, once somebody has asked for it, and of how many raw texts it makes that. */
export interface KeptHeaders {
  readonly headersDistinct: symbol
  readonly count: symbol
}

/**
 * Node's symbols for them, found by what they do and not by what they are called: null on a Node that keeps its headers in
 * another way, and on older releases that choke on a field called `__proto__` or `constructor`.
 */
export const keptHeaders: KeptHeaders | null = findKeptHeaders()

function findKeptHeaders(): KeptHeaders | null {
  try {
    return Object.getOwnPropertySymbols(probe()).map(keptWith).find(Boolean) ?? null
  } catch {
    return null
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
