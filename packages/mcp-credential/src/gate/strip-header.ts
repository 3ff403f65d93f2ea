import type { IncomingMessage } from 'node:http'
import { type KeptHeaders, keptHeaders } from './kept-headers.js'

const NAME = 'authorization'

/**
 * Takes the credential out of a request, from all three places: the MCP SDK's transports build their request from
 * `rawHeaders`, so a handler could pass it on from there.
 *
 * What Node has not made of the raw lines yet need not be made for this: it will be made of those that are left. See decision 0033.
 */
export function stripAuthorization(request: IncomingMessage, kept: KeptHeaders | undefined = keptHeaders): void {
  if (kept === undefined || !isAsNodeMadeIt(request, kept)) return stripEverywhere(request)
  const fields = request as unknown as Record<symbol, unknown>
  if (fields[kept.headers]) delete request.headers[NAME]
  if (fields[kept.headersDistinct]) delete request.headersDistinct[NAME]
  stripRawLines(request.rawHeaders)
  fields[kept.count] = request.rawHeaders.length
}

/** Nobody has put own headers, or own raw lines, in place of Node's. */
function isAsNodeMadeIt(request: IncomingMessage, { count }: KeptHeaders): boolean {
  return (
    (request as unknown as Record<symbol, unknown>)[count] === request.rawHeaders.length &&
    !Object.hasOwn(request, 'headers') &&
    !Object.hasOwn(request, 'headersDistinct')
  )
}

function stripRawLines(rawHeaders: string[]): void {
  let left = 0
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index] as string
    if (name.length === NAME.length && name.toLowerCase() === NAME) continue
    if (left !== index) {
      rawHeaders[left] = name
      rawHeaders[left + 1] = rawHeaders[index + 1] as string
    }
    left += 2
  }
  rawHeaders.length = left
}

function stripEverywhere(request: IncomingMessage): void {
  // First, for Node makes it of as many raw lines as there were.
  delete request.headers[NAME]
  stripRawLines(request.rawHeaders)
  // Made here and not by Node, whose older releases choke on a field that is called `__proto__`.
  const distinct: Record<string, string[]> = Object.create(null)
  const { rawHeaders } = request
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = (rawHeaders[index] as string).toLowerCase()
    const value = rawHeaders[index + 1] as string
    const values = distinct[name]
    if (values === undefined) distinct[name] = [value]
    else values.push(value)
  }
  request.headersDistinct = distinct
}
