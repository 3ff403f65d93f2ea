import type { IncomingMessage } from 'node:http'

const NAME = 'authorization'

/**
 * Takes the credential out of a request, from all three places: the MCP SDK's transports build their request from
 * `rawHeaders`, so a handler could pass it on from there.
 */
export function stripAuthorization(request: IncomingMessage): void {
  // Both are worked out before a raw line goes: Node makes them of as many lines as there were.
  const { headers, headersDistinct, rawHeaders } = request
  delete headers[NAME]
  delete headersDistinct[NAME]
  for (let index = rawHeaders.length - 2; index >= 0; index -= 2) {
    if (rawHeaders[index]?.toLowerCase() === NAME) rawHeaders.splice(index, 2)
  }
}
