import type { IncomingMessage } from 'node:http'

const NAME = 'authorization'

/**
 * Takes the credential out of a request, from all three places: the MCP SDK's transports build their request from
 * `rawHeaders`, so a handler could pass it on from there.
 */
export function stripAuthorization(request: IncomingMessage): void {
  // First, for Node makes it of as many raw lines as there were.
  delete request.headers[NAME]
  const { rawHeaders } = request
  // Made here and not by Node, whose older releases choke on a field that is called `__proto__`.
  const distinct: Record<string, string[]> = Object.create(null)
  let kept = 0
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const raw = rawHeaders[index] as string
    const value = rawHeaders[index + 1] as string
    const name = raw.toLowerCase()
    if (name === NAME) continue
    rawHeaders[kept] = raw
    rawHeaders[kept + 1] = value
    kept += 2
    const values = distinct[name]
    if (values === undefined) distinct[name] = [value]
    else values.push(value)
  }
  rawHeaders.length = kept
  request.headersDistinct = distinct
}
