import type { IncomingMessage } from 'node:http'

/**
 * Takes the credential out of a request, from all three places: the MCP SDK's transports build their request from
 * `rawHeaders`, so a handler could pass it on from there.
 */
export function stripAuthorization(request: IncomingMessage): void {
  const { headers, headersDistinct, rawHeaders } = request
  delete headers.authorization
  delete headersDistinct.authorization
  for (let index = rawHeaders.length - 2; index >= 0; index -= 2) {
    if (rawHeaders[index]?.toLowerCase() === 'authorization') rawHeaders.splice(index, 2)
  }
}
