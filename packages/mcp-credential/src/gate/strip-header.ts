import { IncomingMessage } from 'node:http'
import { type KeptHeaders, keptHeaders } from './kept-headers.js'

const NAME = 'authorization'

/**
 * Takes the credential out of a request, from all three places: the MCP SDK's transports build their request from
 * `rawHeaders`, so a handler could pass it on from there.
 *
 * `headersDistinct` is not made for that when Node has not made it yet: it will be made of the lines that are left. See decision 0033.
 */
export function stripAuthorization(request: IncomingMessage, kept: KeptHeaders | null = keptHeaders): void {
  // First, for Node makes it of as many raw lines as there were.
  delete request.headers[NAME]
  const { rawHeaders } = request
  const fields = request as unknown as Record<symbol, unknown>
  const isCounted = kept !== null && fields[kept.count] === rawHeaders.length
  stripLines(rawHeaders)
  if (!isCounted || request.rawHeaders !== rawHeaders || !hasNodesOwn(request, 'headersDistinct')) {
    request.headersDistinct = distinctOf(rawHeaders)
    return
  }
  delete (fields[kept.headersDistinct] as IncomingMessage['headersDistinct'] | null | undefined)?.[NAME]
  fields[kept.count] = rawHeaders.length
}

function stripLines(rawHeaders: string[]): void {
  let left = 0
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index] as string
    if (name.length === NAME.length && name.toLowerCase() === NAME) continue
    rawHeaders[left] = name
    rawHeaders[left + 1] = rawHeaders[index + 1] as string
    left += 2
  }
  rawHeaders.length = left
}

/** Nobody between the request and Node answers for this property. */
function hasNodesOwn(request: IncomingMessage, property: string): boolean {
  let holder: object | null = request
  while (holder !== IncomingMessage.prototype) {
    if (holder === null || Object.hasOwn(holder, property)) return false
    holder = Object.getPrototypeOf(holder)
  }
  return true
}

/** Made here and not by Node, whose older releases choke on a field called `__proto__` or `constructor`. */
function distinctOf(rawHeaders: readonly string[]): IncomingMessage['headersDistinct'] {
  const distinct: Record<string, string[]> = Object.create(null)
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = (rawHeaders[index] as string).toLowerCase()
    const value = rawHeaders[index + 1] as string
    const values = distinct[name]
    if (values === undefined) distinct[name] = [value]
    else values.push(value)
  }
  return distinct
}
